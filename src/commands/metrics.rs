//! `plimsoll metrics`: the reference of every metric.

use std::io::Write;
use std::process::ExitCode;

use crate::cli::args::{MetricsArgs, MetricsOutput};
use crate::cli::rows::{ignore_broken_pipe, write_json};
use crate::expose::catalogue;

pub(super) fn run(args: &MetricsArgs) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let written = match args.output {
        MetricsOutput::Markdown => out.write_all(catalogue::reference_markdown().as_bytes()),
        MetricsOutput::Text => out.write_all(text().as_bytes()),
        MetricsOutput::Json => {
            let families: Vec<&catalogue::Family> = catalogue::all().collect();
            write_json(&mut out, &families)
        }
    };
    ignore_broken_pipe(written)?;
    Ok(ExitCode::SUCCESS)
}

fn text() -> String {
    let mut text = String::new();
    for family in catalogue::all() {
        let labels: Vec<&str> = family.all_labels().collect();
        text.push_str(&format!("{} ({})\n", family.name, family.kind.as_str()));
        if !labels.is_empty() {
            text.push_str(&format!("    labels: {}\n", labels.join(", ")));
        }
        text.push_str(&format!("    series: {}\n    {}\n\n", family.bound, family.help));
    }
    text
}
