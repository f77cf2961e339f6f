//! Numbers as people read them.
//!
//! Must never show `NaN` or more digits than mean something.

/// A probability in five cells: `0.934`, `<.001`, `>.999`, `0.000` and `1.000` only where exact.
pub fn p(value: f64) -> String {
    if !value.is_finite() {
        "    –".to_owned()
    } else if value > 0.0 && value < 0.001 {
        "<.001".to_owned()
    } else if value > 0.999 && value < 1.0 {
        ">.999".to_owned()
    } else {
        format!("{value:.3}")
    }
}

/// An entropy: `0.33 bit`.
pub fn bits(value: f64) -> String {
    if value.is_finite() { format!("{:.2} bit", value.abs()) } else { "–".to_owned() }
}

/// A score, threshold or other number: up to four decimals, no zeros at the end.
pub fn decimal(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value != 0.0 && (value.abs() < 0.0001 || value.abs() >= 1e9) {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A count, in groups of three digits from five digits on: `1234`, `12 345`.
pub fn count(value: u64) -> String {
    if value < 10_000 {
        return value.to_string();
    }
    let digits = value.to_string();
    let lead = digits.len() % 3;
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && i % 3 == lead {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// `1 node`, `2 nodes`, `12 345 leaves`.
pub fn plural(n: impl TryInto<u64>, word: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    match word.strip_suffix("leaf") {
        _ if n == 1 => format!("1 {word}"),
        Some(start) => format!("{} {start}leaves", count(n)),
        None => format!("{} {word}s", count(n)),
    }
}

/// A duration: `812 ms`, `4.2 s`, `3 min 05 s`.
pub fn millis(ms: u32) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.1} s", f64::from(ms) / 1000.0),
        _ => format!("{} min {:02} s", ms / 60_000, ms / 1000 % 60),
    }
}

/// A bar of at most `cells` cells, in eighths; a value above nothing is never an empty bar.
pub fn bar(value: f64, cells: usize) -> String {
    const PARTS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
    let value = if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 };
    let mut eighths = (value * cells as f64 * 8.0).round() as usize;
    if value > 0.0 {
        eighths = eighths.max(1);
    }
    let mut out = "█".repeat(eighths / 8);
    if let Some(part) = (eighths % 8).checked_sub(1).and_then(|i| PARTS.get(i)) {
        out.push(*part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_never_nan() {
        for (value, text) in
            [(0.9342, "0.934"), (1.0, "1.000"), (0.0, "0.000"), (0.9996, ">.999"), (1e-9, "<.001"), (f64::NAN, "    –")]
        {
            assert_eq!(p(value), text);
        }
        for (value, text) in [(0.8, "0.8"), (-0.0, "0"), (12.0, "12"), (1e-7, "1.00e-7"), (f64::INFINITY, "–")] {
            assert_eq!(decimal(value), text);
        }
        assert_eq!((count(1_234_567), count(12), count(1234)), ("1 234 567".into(), "12".into(), "1234".into()));
        for (n, word, text) in [
            (0, "node", "0 nodes"),
            (1, "leaf", "1 leaf"),
            (2, "leaf", "2 leaves"),
            (12_345, "samples file", "12 345 samples files"),
        ] {
            assert_eq!(plural(n as u32, word), text);
        }
        assert_eq!(plural(u128::MAX, "row"), "18 446 744 073 709 551 615 rows", "as many as are counted");
        assert_eq!(
            (millis(812), millis(4_210), millis(185_000)),
            ("812 ms".into(), "4.2 s".into(), "3 min 05 s".into())
        );
    }

    #[test]
    fn bars_fit_and_a_small_value_shows() {
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(0.5, 3), "█▌");
        assert_eq!(bar(0.0001, 10), "▏");
        assert_eq!(bar(f64::NAN, 10), "");
        assert_eq!(bar(7.0, 2), "██");
    }
}
