//! From samples to a table.

use std::{
    fmt::{self, Write as _},
    fs,
    process::Child,
    time::Duration,
};

use crate::load::Samples;

/// Clock ticks a second in `/proc`: 100 on every Linux that is not built otherwise.
const TICKS_A_SECOND: u64 = 100;

/// A direct run and the proxied one beside it.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) direct: Samples,
    pub(crate) proxied: Samples,
    /// Processor time that Lockgate took, where it can be read.
    pub(crate) cpu: Option<Duration>,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) setting: &'static str,
    pub(crate) connections: usize,
    pub(crate) pairs: Vec<Pair>,
}

/// Processor time of a process so far; `None` where there is no `/proc`.
pub(crate) fn cpu_time(process: &Child) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.id())).ok()?;
    // The second field is a name in brackets, which may hold spaces; user and system time are the 14th and 15th.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()? + ticks()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS_A_SECOND))
}

/// The table, medians over the rounds. Added latency is taken within a round, where both sides met the same machine.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "                        requests/s                 p50, µs          p99, µs        added, µs    CPU, µs  as\n\
         setting           conn  direct  lockgate  ratio   direct lockgate  direct lockgate    p50    p99  /request  meant\n",
    );
    for row in rows {
        let _ = writeln!(table, "{row}");
    }
    table
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |measure: &dyn Fn(&Pair) -> f64| median(self.pairs.iter().map(measure));
        let p = |samples: &Samples, percent| micros(samples.percentile(percent));
        let added = |percent| at(&|pair| p(&pair.proxied, percent) - p(&pair.direct, percent));
        write!(f, "{:<16} {:>5}", self.setting, self.connections)?;
        write!(f, " {:>7.0}", at(&|pair| pair.direct.rate()))?;
        write!(f, " {:>9.0}", at(&|pair| pair.proxied.rate()))?;
        write!(f, " {:>6.2}", at(&|pair| pair.proxied.rate() / pair.direct.rate()))?;
        for percent in [50, 99] {
            write!(f, "  {:>7.0}", at(&|pair| p(&pair.direct, percent)))?;
            write!(f, " {:>8.0}", at(&|pair| p(&pair.proxied, percent)))?;
        }
        write!(f, " {:>6.0} {:>6.0}", added(50), added(99))?;
        write!(f, " {:>9.0}", at(&Pair::cpu_a_request))?;
        write!(f, " {:>5.0}%", 100.0 * at(&|pair| pair.proxied.share_expected()))
    }
}

impl Pair {
    fn cpu_a_request(&self) -> f64 {
        self.cpu.map_or(f64::NAN, micros) / self.proxied.latencies.len() as f64
    }
}

impl Samples {
    fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    fn share_expected(&self) -> f64 {
        self.expected as f64 / self.latencies.len() as f64
    }

    fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let rank = sorted.len().saturating_sub(1) * percent / 100;
        sorted.get(rank).copied().unwrap_or_default()
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
