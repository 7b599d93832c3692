//! What is wrong with a file, and how it is printed.

use std::{fmt, ops::Range};

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};

use super::Source;

/// More problems than this are counted, not printed: nobody reads further.
const MAX_SHOWN: usize = 50;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The bytes it is about; none when it is about the file as a whole.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What would come of it.
    pub consequence: Option<String>,
    /// What to write instead.
    pub remedy: String,
}

impl Problem {
    /// A problem without a consequence of its own.
    pub fn new(span: impl Into<Option<Range<usize>>>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { span: span.into(), message: message.into(), consequence: None, remedy: remedy.into() }
    }

    /// The same problem, with what would come of it.
    #[must_use]
    pub fn consequence(mut self, consequence: impl Into<String>) -> Self {
        self.consequence = Some(consequence.into());
        self
    }
}

/// Everything that is wrong with one file, in the order of its lines.
#[derive(Debug, Clone)]
pub struct Report {
    source: Source,
    problems: Vec<Problem>,
}

impl Report {
    /// Sorts the problems by place; what is about the whole file comes first.
    pub fn new(source: Source, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.span.as_ref().map(|span| (span.start, span.end)));
        problems.dedup();
        Self { source, problems }
    }

    /// The file.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What is wrong, in the order of the lines.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The report as a person reads it; `color` adds terminal colours.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for problem in self.problems.iter().take(MAX_SHOWN) {
            text.push_str(&self.render_one(problem, &renderer));
            text.push_str("\n\n");
        }
        text.push_str(&self.count_line());
        text
    }

    fn render_one(&self, problem: &Problem, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(problem.message.as_str());
        let group = match &problem.span {
            Some(span) => title.element(self.snippet(span)),
            None => title.element(Origin::path(self.source.name())),
        };
        renderer.render(&[with_footers(group, problem)])
    }

    /// Only the line itself, so that a long file costs no more than a short one.
    fn snippet(&self, span: &Range<usize>) -> Snippet<'_, Annotation<'_>> {
        let (number, line) = self.source.line_at(span.start);
        let start = self.source.text().floor_char_boundary(span.start).min(line.end);
        let end = self.source.text().ceil_char_boundary(span.end).clamp(start, line.end);
        let caret = (start - line.start)..(end - line.start);
        Snippet::source(self.source.shown(line))
            .path(self.source.name())
            .line_start(number)
            .annotation(AnnotationKind::Primary.span(caret))
    }

    fn count_line(&self) -> String {
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        let hidden = match count.saturating_sub(MAX_SHOWN) {
            0 => String::new(),
            hidden => format!(", {hidden} of them not shown"),
        };
        format!("{count} {noun} in {}{hidden}\n", self.source.name())
    }
}

/// Keys come from the file: without normalisation they could carry terminal control sequences.
fn with_footers<'a>(group: Group<'a>, problem: &Problem) -> Group<'a> {
    let group = match &problem.consequence {
        Some(consequence) => group.element(Level::NOTE.message(normalize_untrusted_str(consequence))),
        None => group,
    };
    group.element(Level::HELP.message(normalize_untrusted_str(&problem.remedy)))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Report {}
