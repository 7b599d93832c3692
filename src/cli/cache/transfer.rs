//! `export` and `import`: files of lines, with a bar where somebody watches.

use std::{
    fs::OpenOptions,
    future::poll_fn,
    io::{self, BufRead, BufReader, IsTerminal as _, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    pin::Pin,
};

use http_body::Body as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value};

use super::{
    super::admin::{Admin, Outcome, Refusal},
    text,
};

/// Bytes of lines that are sent at once: small enough that a bar moves, and that an interruption loses little.
const PART: usize = 1 << 20;

/// Writes all entries to a file, or to the output.
pub(super) async fn export(admin: &Admin, file: Option<&Path>) -> Outcome<String> {
    let stats = admin.get("cache/stats").await?;
    let count = |at: &str| stats.pointer(at).and_then(Value::as_u64).unwrap_or_default();
    let bar = bar(count("/cache/entries").max(count("/cache/store/entries")), "entries");
    let mut to: Box<dyn Write> = match file {
        // It holds prompts and answers in clear.
        Some(file) => {
            Box::new(OpenOptions::new().create_new(true).write(true).mode(0o600).open(file).map_err(|error| at(file, &error))?)
        }
        None => Box::new(io::stdout().lock()),
    };
    let unwritten =
        |error: io::Error| file.map_or_else(|| format!("the output cannot be written: {error}"), |file| at(file, &error));
    let (mut body, mut lines) = (admin.export().await?, 0_u64);
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| "the export broke off, and what was written is not whole; try again".to_owned())?;
        let piece = frame.into_data().unwrap_or_default();
        to.write_all(&piece).map_err(unwritten)?;
        lines += piece.split(|&byte| byte == b'\n').count() as u64 - 1;
        bar.set_position(lines.saturating_sub(1));
    }
    to.flush().map_err(unwritten)?;
    bar.finish_and_clear();
    let entries = text::entries_of(lines.saturating_sub(1));
    Ok(file.map_or_else(String::new, |file| format!("Wrote {entries} to {}.\n", file.display())))
}

/// Reads a file, or the input, and sends it part by part.
pub(super) async fn import(admin: &Admin, file: &Path) -> Outcome<Value> {
    let (from, bytes) = open(file)?;
    let bar = bar(bytes, "bytes");
    let mut parts = Parts { from, header: Vec::new(), line: 0 };
    let unreadable = |error: io::Error| at(file, &error);
    parts.from.read_until(b'\n', &mut parts.header).map_err(unreadable)?;
    bar.inc(parts.header.len() as u64);
    parts.line = 1;
    let mut total = Map::new();
    loop {
        let (first, part) = (parts.line + 1, parts.next().map_err(unreadable)?);
        let is_last = part.is_none();
        // A file of a header alone is sent as well: it may be none of ours.
        if is_last && first > 2 {
            break;
        }
        let lines = part.unwrap_or_default();
        let sent = lines.len() as u64;
        let body = [parts.header.as_slice(), &lines].concat();
        add(&mut total, &admin.import(body.into()).await.map_err(|refusal| placed(refusal, first))?);
        bar.inc(sent);
        if is_last {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(total.into())
}

/// A file that is read part by part, each of whole lines.
struct Parts {
    from: Box<dyn BufRead>,
    header: Vec<u8>,
    /// Lines read so far.
    line: usize,
}

impl Parts {
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut part = Vec::new();
        while part.len() < PART && self.from.read_until(b'\n', &mut part)? > 0 {
            self.line += 1;
        }
        Ok(Some(part).filter(|part| !part.is_empty()))
    }
}

fn open(file: &Path) -> Outcome<(Box<dyn BufRead>, u64)> {
    if file == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), 0));
    }
    let opened = OpenOptions::new().read(true).open(file).map_err(|error| at(file, &error))?;
    let bytes = opened.metadata().map_or(0, |data| data.len());
    Ok((Box::new(BufReader::new(opened)), bytes))
}

/// A refusal counts the lines of its part, of which the first is the header; people count those of the file.
fn placed(Refusal { message, line }: Refusal, first: usize) -> String {
    let Some(line) = line.filter(|line| *line > 1) else { return message };
    message.replacen(&format!("Line {line} "), &format!("Line {} ", first + line - 2), 1)
}

fn add(total: &mut Map<String, Value>, part: &Value) {
    for (name, count) in part.as_object().into_iter().flatten() {
        let before = total.get(name).and_then(Value::as_u64).unwrap_or_default();
        total.insert(name.clone(), (before + count.as_u64().unwrap_or_default()).into());
    }
}

/// A bar on stderr, if that is a terminal.
fn bar(length: u64, of: &str) -> ProgressBar {
    let target = if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let shown = if of == "bytes" { "{bytes} of {total_bytes}" } else { "{pos} of {len} entries" };
    let style = ProgressStyle::with_template(&format!("{{bar:40}} {shown}, {{eta}} left"))
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(length), target);
    bar.set_style(style);
    bar
}

fn at(file: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::AlreadyExists => "name another file, or move this one away",
        _ => "check the file, its folder and their permissions",
    };
    format!("{}: {error}; {remedy}", file.display())
}
