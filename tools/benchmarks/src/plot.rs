//! The table as a plot: bars on a logarithmic scale.

use crate::{
    figures::{Figures, Side},
    operations::{OPERATIONS, Unit},
    report::grouped,
};
use std::fmt::Write as _;

/// Width of the plot's names, and of a tenfold.
const NAMES: u32 = 310;
const TENFOLD: f64 = 95.0;
/// Height of a bar, and of a row.
const BAR: u32 = 11;
const ROW: u32 = 46;
/// The largest power of ten that is shown.
const DECADES: u32 = 8;

const SIDES: [(Side, &str, &str); 3] = [
    (Side::Strake, "Strake", "#1b6ca8"),
    (Side::LinuxInside, "Linux, inside its kernel", "#e0a030"),
    (Side::LinuxUser, "Linux, seen by a program", "#b04030"),
];

/// An SVG with all operations that are counted in instructions.
pub(crate) fn svg(figures: &Figures) -> String {
    let rows: Vec<_> = OPERATIONS
        .iter()
        .filter(|operation| operation.unit == Unit::Cost && !operation.name.starts_with("boot"))
        .collect();
    let count = u32::try_from(rows.len()).unwrap_or(0);
    let height = 60 + ROW * count;
    let width = f64::from(NAMES) + TENFOLD * f64::from(DECADES) + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (index, (_, title, colour)) in (0..).zip(SIDES) {
        let x = NAMES + 190 * index;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"8\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"18\">{title}</text>",
            x + 18
        );
    }
    for decade in 0..=DECADES {
        let x = f64::from(NAMES) + TENFOLD * f64::from(decade);
        let label = grouped(10_u64.pow(decade));
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" y1=\"44\" x2=\"{x}\" y2=\"{height}\" stroke=\"#ddd\"/>\
             <text x=\"{x}\" y=\"38\" text-anchor=\"middle\" fill=\"#666\">{label}</text>"
        );
    }
    for (operation, top) in rows.iter().zip((50..).step_by(ROW as usize)) {
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            NAMES - 8,
            top + 22,
            operation.title
        );
        for ((side, _, colour), y) in SIDES.iter().zip((top..).step_by(BAR as usize + 1)) {
            if let Some(figure) = figures.lowest(operation.name, *side) {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{NAMES}\" y=\"{y}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{colour}\">\
                     <title>{}</title></rect>",
                    length(figure.value),
                    grouped(figure.value)
                );
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a bar's length needs no more than the first digits"
)]
fn length(value: u64) -> f64 {
    (value.max(1) as f64).log10() * TENFOLD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_grows_by_the_same_for_each_tenfold() {
        assert!((length(1000) - length(100) - TENFOLD).abs() < 1e-9);
        assert!(length(0).abs() < 1e-9);
    }

    #[test]
    fn each_figure_has_a_bar() {
        let figures = Figures::read_linux("row ipc user futex 7003\nrow ipc inside x 4924");
        assert_eq!(svg(&figures).matches("<title>").count(), 2);
    }
}
