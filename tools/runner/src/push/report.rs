//! What the system says about a swap.

use super::error::PushError;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// The report of a push without anything to do, in the form of the system's own.
pub(super) const NOTHING: &str = r#"{"ok":true,"swapped":[],"kept_old":[],"refused":null,"ms":{"prepare":null,"quiesce":null,"commit":null,"reclaim":null},"slots":0}"#;

/// What the system says about a swap. Fields that this program does not know are left alone.
#[derive(Debug, Deserialize)]
pub struct Report {
    /// Whether the swap was made, or would have been.
    pub ok: bool,
    /// What was swapped.
    #[serde(default)]
    pub swapped: Vec<Value>,
    /// Functions that keep their old code, and why.
    #[serde(default)]
    pub kept_old: Vec<Value>,
    /// What was at fault.
    pub refused: Option<Refusal>,
    /// How long each step took, in milliseconds.
    #[serde(default)]
    pub ms: serde_json::Map<String, Value>,
    /// Number of slots written.
    #[serde(default)]
    pub slots: u64,
    /// Everything else.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

/// Why a swap was refused.
#[derive(Debug, Deserialize)]
pub struct Refusal {
    /// The component at fault.
    pub component: String,
    /// Why.
    pub reason: String,
}

impl Report {
    /// Reads a report.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(document: &str) -> Result<Self, PushError> {
        serde_json::from_str(document)
            .map_err(|error| PushError::Unexpected(format!("{error} in the report {document:?}")))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (step, time) in self.ms.iter().filter(|(_, time)| !time.is_null()) {
            writeln!(f, "{time:>7} ms  {step} (in the system)")?;
        }
        if let Some(refusal) = &self.refused {
            writeln!(f, "refused: {}: {}", refusal.component, refusal.reason)?;
        } else {
            let names: Vec<String> = self.swapped.iter().map(plain).collect();
            writeln!(f, "swapped: {} ({} slots)", names.join(" "), self.slots)?;
        }
        for kept in &self.kept_old {
            writeln!(f, "keeps its old code: {}", plain(kept))?;
        }
        for (name, value) in &self.rest {
            let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            if !empty {
                writeln!(f, "{}: {}", name.replace('_', " "), plain(value))?;
            }
        }
        Ok(())
    }
}

/// A value as a person writes it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| match name.as_str() {
                "name" | "component" => plain(value),
                _ => format!("{name} {}", plain(value)),
            });
            fields.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_without_anything_reads_back() {
        let report = Report::parse(NOTHING);
        assert!(report.is_ok_and(|report| report.ok && report.swapped.is_empty()));
    }

    #[test]
    fn a_refusal_names_the_component() {
        let text = r#"{"ok":false,"swapped":[],"kept_old":[],"refused":{"component":"klog","reason":"a field moved"},"ms":{"prepare":1.5},"slots":0,"tasks":[]}"#;
        let shown = Report::parse(text)
            .map(|report| report.to_string())
            .unwrap_or_default();
        assert!(shown.contains("refused: klog: a field moved"), "{shown}");
        assert!(!shown.contains("tasks"), "{shown}");
    }
}
