//! `plimsoll rules`: the rules for Prometheus, with the thresholds of the configuration.

use std::io::Write;
use std::process::ExitCode;

use super::{configuration, replace};
use crate::cli::args::{GlobalArgs, RulesArgs};
use crate::cli::rows::ignore_broken_pipe;
use crate::expose::rules::{RuleOptions, alert_rules, recording_rules};

pub(super) fn run(global: &GlobalArgs, args: &RulesArgs) -> anyhow::Result<ExitCode> {
    let thresholds = configuration(global)?.config.conditions;
    let text = if args.recording {
        recording_rules()
    } else {
        let options = RuleOptions { job: args.job.clone(), runbook: args.runbook.clone() };
        alert_rules(&thresholds, &options)
    };
    match &args.file {
        Some(file) => replace(file, &text)?,
        None => ignore_broken_pipe(std::io::stdout().lock().write_all(text.as_bytes()))?,
    }
    Ok(ExitCode::SUCCESS)
}
