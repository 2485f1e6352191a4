//! Content negotiation: RFC 9110, sections 12.5.1 and 12.5.3, as far as exporters need it.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

use crate::expose::exposition::Format;

/// The format for `/metrics`: the one the client likes best, its order deciding between equals,
/// and the text format when it names none that we speak (as Prometheus' own libraries do).
pub fn format(headers: &HeaderMap) -> Format {
    let mut offers: Vec<(f32, Format)> = list(headers, &ACCEPT)
        .filter_map(|item| {
            let format = match (item.word.as_str(), item.parameter("version")) {
                ("application/openmetrics-text", None | Some("1.0.0")) => Format::OpenMetrics,
                ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => Format::Text,
                _ => return None,
            };
            (item.quality > 0.0).then_some((item.quality, format))
        })
        .collect();
    // A stable sort: equals stay in the client's order.
    offers.sort_by(|a, b| b.0.total_cmp(&a.0));
    offers.first().map_or(Format::Text, |offer| offer.1)
}

/// The client takes gzip.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut any = false;
    for item in list(headers, &ACCEPT_ENCODING) {
        match item.word.as_str() {
            "gzip" | "x-gzip" => return item.quality > 0.0,
            "*" => any = item.quality > 0.0,
            _ => {}
        }
    }
    any
}

struct Item {
    word: String,
    parameters: Vec<(String, String)>,
    quality: f32,
}

impl Item {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// Items of a header that is a list, over all lines of it. Bad ones are left out.
fn list<'a>(headers: &'a HeaderMap, name: &'a HeaderName) -> impl Iterator<Item = Item> + 'a {
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(item)
}

fn item(text: &str) -> Option<Item> {
    let mut parts = text.split(';').map(str::trim);
    let word = parts.next().filter(|word| !word.is_empty())?.to_ascii_lowercase();
    let mut quality = 1.0;
    let mut parameters = Vec::new();
    for part in parts {
        let Some((name, value)) = part.split_once('=') else { continue };
        let name = name.trim().to_ascii_lowercase();
        let value = value.trim().trim_matches('"');
        if name == "q" {
            quality = value.parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q))?;
        } else {
            parameters.push((name, value.to_owned()));
        }
    }
    Some(Item { word, parameters, quality })
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            map.append(name.clone(), HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn the_format_follows_what_clients_send() {
        let prometheus_2_42 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for (accept, expected) in [
            (prometheus_2_42, Format::OpenMetrics),
            (prometheus_3, Format::OpenMetrics),
            (browser, Format::Text),
            ("*/*", Format::Text),
            ("text/plain;version=0.0.4", Format::Text),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"; charset=utf-8", Format::OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Format::Text),
            ("application/openmetrics-text;q=0.2, text/plain;q=0.3", Format::Text),
            ("text/plain, application/openmetrics-text", Format::Text),
            ("application/openmetrics-text, text/plain", Format::OpenMetrics),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=high", Format::Text),
            ("application/json", Format::Text),
            (",;, ;q=1", Format::Text),
        ] {
            assert_eq!(format(&headers(ACCEPT, &[accept])), expected, "{accept}");
        }
        assert_eq!(format(&HeaderMap::new()), Format::Text);
        assert_eq!(
            format(&headers(ACCEPT, &["text/plain;q=0.5", "application/openmetrics-text"])),
            Format::OpenMetrics
        );
    }

    #[test]
    fn gzip_is_taken_only_where_allowed() {
        for (accept, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5, br", true),
            ("x-gzip", true),
            ("gzip;q=0", false),
            ("*;q=0.5", true),
            ("*, gzip;q=0", false),
            ("identity", false),
            ("", false),
        ] {
            assert_eq!(accepts_gzip(&headers(ACCEPT_ENCODING, &[accept])), expected, "{accept}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
