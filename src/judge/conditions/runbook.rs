//! The runbook, made from the catalogue.

use std::fmt::Write;

use super::{Condition, MONITORING, MonitoringAlert, Thresholds, Unit, all};
use crate::judge::spoken;
use crate::model::Severity;

/// The runbook as Markdown: what `docs/runbook.md` holds. One section per condition, whose heading
/// is the alert's name: a link to `runbook.md#plimsollvolumeorphaned` leads there.
pub fn runbook_markdown() -> String {
    let mut page = String::from(
        "# Runbook\n\n<!-- Made from src/judge/conditions: change that, then run UPDATE_DOCS=1 cargo \
         test --test runbook -->\n\n\
         What each finding means, how to check it and what to do. A finding appears once its \
         condition held for its hold time, and goes when the condition is over; one with a threshold \
         goes when the value has fallen below the threshold by the margin, or by half of a threshold \
         that is set lower than twice its margin (or, where it is a time ahead, risen above it by the \
         margin). Thresholds are set in the \
         configuration under `conditions`. [Concepts](concepts.md) explains the words.\n\n\
         | severity | kind | alert | about |\n|---|---|---|---|\n",
    );
    for severity in Severity::ALL {
        for condition in all().filter(|condition| condition.severity == severity) {
            let _ = writeln!(
                page,
                "| {} | `{}` | [{}](#{}) | {} |",
                severity.as_str(),
                condition.id,
                condition.alert,
                condition.alert.to_lowercase(),
                condition.subject.as_str(),
            );
        }
    }
    page.push_str(
        "\nOnly Prometheus can tell these (`alerts/plimsoll.yml`, [Alerts](alerts.md)); there is no finding \
         of them:\n\n| severity | alert | about |\n|---|---|---|\n",
    );
    for alert in MONITORING {
        let _ = writeln!(
            page,
            "| {} | [{}](#{}) | {} |",
            alert.severity.as_str(),
            alert.alert,
            alert.alert.to_lowercase(),
            alert.summary,
        );
    }
    for condition in all() {
        section(&mut page, condition);
    }
    for alert in MONITORING {
        monitoring_section(&mut page, alert);
    }
    page
}

fn monitoring_section(page: &mut String, alert: &MonitoringAlert) {
    let held = match alert.hold_seconds {
        0.0 => String::new(),
        seconds => format!(" · held for {}", spoken(seconds)),
    };
    let _ = write!(
        page,
        "\n## {}\n\n{}.\n\n{} · told by Prometheus only{held}\n\n**What it means.** {}\n\n\
         **How to check.** {}\n\n**What to do.** {}\n\n```promql\n{}\n```\n",
        alert.alert,
        alert.summary,
        alert.severity.as_str(),
        alert.meaning,
        alert.check,
        alert.action,
        alert.promql("plimsoll"),
    );
}

fn section(page: &mut String, condition: &Condition) {
    let mut facts = format!(
        "`{}` · {} · about one {}",
        condition.id,
        condition.severity.as_str(),
        condition.subject.as_str()
    );
    if let Some(threshold) = &condition.threshold {
        let value = Thresholds::default().get(threshold.key).unwrap_or_default();
        let number = |value: f64| match threshold.unit {
            Unit::Ratio => format!("{:.0} %", value * 100.0),
            Unit::Seconds | Unit::Within if value.fract() > 0.0 => format!("{value}s"),
            Unit::Seconds | Unit::Within => spoken(value),
        };
        let _ = write!(
            facts,
            " · {} {} (`conditions.{}`), margin {}",
            if threshold.unit == Unit::Within { "within" } else { "from" },
            number(value),
            threshold.key,
            number(threshold.margin)
        );
    }
    if condition.hold_seconds > 0.0 {
        let _ = write!(facts, " · held for {}", spoken(condition.hold_seconds));
    }
    if !condition.gives_way_to().is_empty() {
        let names = condition.gives_way_to().iter().map(|further| format!("`{}`", further.id));
        let names: Vec<String> = names.collect();
        let _ = write!(facts, " · gives way to {}", names.join(", "));
    }
    let _ = write!(
        page,
        "\n## {}\n\n{}.\n\n{facts}\n\n**What it means.** {}\n\n**How to check.** {}\n\n**What to do.** {}\n",
        condition.alert, condition.summary, condition.meaning, condition.check, condition.action,
    );
    if let Some(expr) = condition.expression() {
        let _ = write!(page, "\n```promql\n{expr}\n```\n");
    }
}
