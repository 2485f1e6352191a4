//! Rows of one type as a table, JSON or CSV.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter};

use super::table::{self, Align, Shrink, Spec};
use crate::text;

/// Forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people: fits the terminal, numbers rounded.
    Table,
    /// An array of objects, with the words of the metrics.
    Json,
    /// The same values with a line of headers (RFC 4180).
    Csv,
}

/// A column of the table of `T`.
#[derive(Clone, Copy, Debug)]
pub struct Column<T> {
    spec: Spec,
    cell: fn(&T) -> String,
}

impl<T> Column<T> {
    /// Words; never cut.
    pub fn left(header: &'static str, cell: fn(&T) -> String) -> Self {
        let spec = Spec { header, align: Align::Left, shrink: Shrink::Never, hide: 0 };
        Self { spec, cell }
    }

    /// Numbers; never cut.
    pub fn right(header: &'static str, cell: fn(&T) -> String) -> Self {
        let mut column = Self::left(header, cell);
        column.spec.align = Align::Right;
        column
    }

    /// May lose the middle of its cells, down to so many columns of the terminal.
    #[must_use]
    pub fn shrink(mut self, least: usize) -> Self {
        self.spec.shrink = Shrink::Middle(least);
        self
    }

    /// May be hidden; the highest rank goes first.
    #[must_use]
    pub fn hide(mut self, rank: u8) -> Self {
        self.spec.hide = rank;
        self
    }
}

/// How rows of `T` are shown.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    /// Columns of the table.
    pub columns: &'a [Column<T>],
    /// Every field of the serialised row, in the order of the CSV.
    pub fields: &'a [&'static str],
}

impl<T: Serialize> Rows<'_, T> {
    /// Prints to standard output, in the width of its terminal if it is one. A reader that has
    /// gone (`plimsoll volumes | head -1`) is no error. What found no room is named on standard
    /// error.
    ///
    /// # Errors
    /// Standard output cannot be written, or a row cannot be serialised.
    pub fn print(&self, rows: &[T], output: Output, headers: bool) -> io::Result<()> {
        let stdout = io::stdout();
        let width = terminal_width(&stdout);
        let mut out = io::BufWriter::new(stdout.lock());
        let hidden = self.write(&mut out, rows, output, headers, width);
        let hidden = hidden.and_then(|hidden| out.flush().map(|()| hidden));
        match hidden {
            Ok(hidden) if !hidden.is_empty() => {
                let _ = writeln!(
                    io::stderr(),
                    "hidden for want of width: {} (all with --output json)",
                    hidden.join(", ")
                );
                Ok(())
            }
            other => ignore_broken_pipe(other.map(drop)),
        }
    }

    /// Writes the rows and returns the headers of the columns that found no room.
    ///
    /// # Errors
    /// The writer's, or a row whose fields are not [`Rows::fields`] (CSV).
    pub fn write(
        &self,
        out: &mut impl Write,
        rows: &[T],
        output: Output,
        headers: bool,
        width: Option<usize>,
    ) -> io::Result<Vec<&'static str>> {
        match output {
            Output::Table => {
                let specs: Vec<Spec> = self.columns.iter().map(|column| column.spec).collect();
                let cells: Vec<Vec<String>> = rows
                    .iter()
                    .map(|row| self.columns.iter().map(|column| (column.cell)(row)).collect())
                    .collect();
                let table = table::render(&specs, &cells, width, headers);
                out.write_all(table.text.as_bytes())?;
                return Ok(table.hidden);
            }
            Output::Json => write_json(out, &rows)?,
            Output::Csv => self.write_csv(out, rows, headers)?,
        }
        Ok(Vec::new())
    }

    fn write_csv(&self, out: &mut impl Write, rows: &[T], headers: bool) -> io::Result<()> {
        let mut csv = csv::WriterBuilder::new().from_writer(out);
        if headers {
            csv.write_record(self.fields).map_err(from_csv)?;
        }
        for row in rows {
            let Value::Object(mut values) = serde_json::to_value(row)? else {
                return Err(io::Error::other("a row is not an object"));
            };
            let mut record = Vec::with_capacity(self.fields.len());
            for field in self.fields {
                let value = values.remove(*field);
                record.push(csv_cell(value.as_ref().unwrap_or(&Value::Null)));
            }
            if let Some(field) = values.keys().next() {
                return Err(io::Error::other(format!("field {field} has no column in the CSV")));
            }
            csv.write_record(record).map_err(from_csv)?;
        }
        csv.flush()
    }
}

/// A value in a cell of a CSV: absent is empty, lists and objects are JSON, and control
/// characters are escaped as in tables.
fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(string) if string.chars().any(text::is_hidden) => {
            text::escape(string).into_owned()
        }
        Value::String(string) => string.clone(),
        other => text::escape_hidden_json(&other.to_string()).into_owned(),
    }
}

/// Writes indented JSON and a newline. Beside what JSON demands, characters that could drive a
/// terminal (DEL, C1 controls, bidirectional controls) are written as `\u….`: the value is the
/// same.
///
/// # Errors
/// The writer's, or a value that cannot be serialised.
pub fn write_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let formatter = SafeJson(PrettyFormatter::new());
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, formatter);
    value.serialize(&mut serializer)?;
    out.write_all(b"\n")
}

/// Turns the error of a reader that has gone into success.
///
/// # Errors
/// Every other one.
pub fn ignore_broken_pipe(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Columns of a terminal; absent for a pipe or a file.
fn terminal_width(stdout: &io::Stdout) -> Option<usize> {
    if !stdout.is_terminal() {
        return None;
    }
    terminal_size::terminal_size_of(stdout).map(|(width, _)| usize::from(width.0).max(20))
}

fn from_csv(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

struct SafeJson(PrettyFormatter<'static>);

impl Formatter for SafeJson {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        out.write_all(text::escape_hidden_json(text).as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::human;

    #[derive(Serialize)]
    struct Row {
        volume: &'static str,
        used_bytes: Option<u64>,
        holders: Vec<&'static str>,
    }

    const FIELDS: [&str; 3] = ["volume", "used_bytes", "holders"];

    fn rows() -> Vec<Row> {
        vec![
            Row { volume: "a,\"b\"", used_bytes: Some(1536), holders: vec!["t1", "t2"] },
            Row { volume: "x\n\u{9b}2J", used_bytes: None, holders: vec![] },
        ]
    }

    fn written(rows: &[Row], output: Output, headers: bool) -> String {
        let columns = [
            Column::left("VOLUME", |row: &Row| row.volume.to_owned()).shrink(8),
            Column::right("USED", |row| row.used_bytes.map_or("-".into(), human::bytes)),
        ];
        let rows_of = Rows { columns: &columns, fields: &FIELDS };
        let mut out = Vec::new();
        rows_of.write(&mut out, rows, output, headers, Some(80)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tables_round() {
        assert_eq!(
            written(&rows(), Output::Table, true),
            "VOLUME          USED\na,\"b\"        1.5 KiB\nx\\n\\u{9b}2J        -\n"
        );
    }

    #[test]
    fn json_keeps_the_values_and_no_controls() {
        let json = written(&rows(), Output::Json, true);
        assert_eq!(
            json,
            "[\n  {\n    \"volume\": \"a,\\\"b\\\"\",\n    \"used_bytes\": 1536,\n    \"holders\": \
             [\n      \"t1\",\n      \"t2\"\n    ]\n  },\n  {\n    \"volume\": \
             \"x\\n\\u009b2J\",\n    \"used_bytes\": null,\n    \"holders\": []\n  }\n]\n"
        );
        let back: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back[1]["volume"], "x\n\u{9b}2J");
    }

    #[test]
    fn csv_quotes_and_keeps_absent_apart_from_zero() {
        assert_eq!(
            written(&rows(), Output::Csv, true),
            "volume,used_bytes,holders\n\"a,\"\"b\"\"\",1536,\"[\"\"t1\"\",\"\"t2\"\"]\"\n\
             x\\n\\u{9b}2J,,[]\n"
        );
    }

    #[test]
    fn nothing_to_show_still_has_its_form() {
        assert_eq!(written(&[], Output::Json, true), "[]\n");
        assert_eq!(written(&[], Output::Csv, true), "volume,used_bytes,holders\n");
        assert_eq!(written(&[], Output::Csv, false), "");
        assert_eq!(written(&[], Output::Table, true), "VOLUME  USED\n");
    }

    #[test]
    fn a_field_without_a_column_is_found() {
        let rows_of = Rows::<Row> { columns: &[], fields: &["volume", "holders"] };
        let error = rows_of.write(&mut Vec::new(), &rows(), Output::Csv, true, None).unwrap_err();
        assert_eq!(error.to_string(), "field used_bytes has no column in the CSV");
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let columns = [Column::left("VOLUME", |row: &Row| row.volume.to_owned())];
        for output in [Output::Table, Output::Json, Output::Csv] {
            let rows_of = Rows { columns: &columns, fields: &FIELDS };
            let result = rows_of.write(&mut Gone, &rows(), output, true, None).map(drop);
            assert!(result.is_err(), "{output:?}");
            assert!(ignore_broken_pipe(result).is_ok(), "{output:?}");
        }
        assert!(ignore_broken_pipe(Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}
