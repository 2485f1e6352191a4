//! Theil–Sen: the median of the slopes between all pairs of points. Up to 29 % of the points may
//! be anything at all without moving it far (Sen, 1968), where least squares follows each of them.

/// Slope of the points (x, y); absent with fewer than two different x.
pub(super) fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    if points.iter().all(|(_, y)| *y == points[0].1) && points.first()?.0 < points.last()?.0 {
        return Some(0.0);
    }
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (index, (x, y)) in points.iter().enumerate() {
        for (later_x, later_y) in &points[index + 1..] {
            if later_x > x {
                slopes.push((later_y - y) / (later_x - x));
            }
        }
    }
    quantile(&mut slopes, 0.5)
}

/// The value below which the part `q` of the values lies, interpolated; absent without values.
pub(super) fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    let place = q * values.len().checked_sub(1)? as f64;
    let (index, part) = (place.floor() as usize, place.fract());
    // The median of hundreds of slopes is taken for each sample: no need to sort them all.
    let (_, below, rest) = values.select_nth_unstable_by(index, f64::total_cmp);
    let below = *below;
    let above = rest.iter().copied().min_by(f64::total_cmp).unwrap_or(below);
    Some(below * (1.0 - part) + above * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_whatever_a_fifth_of_the_points_say() {
        let mut points: Vec<(f64, f64)> =
            (0..20).map(|x| (f64::from(x), 7.0 + 3.0 * f64::from(x))).collect();
        assert_eq!(theil_sen(&points), Some(3.0));
        for index in [2, 9, 14, 19] {
            points[index].1 = 1e9;
        }
        let slope = theil_sen(&points).unwrap();
        assert!((slope - 3.0).abs() < 1e-9, "{slope}");
    }

    #[test]
    fn nothing_is_no_slope() {
        assert_eq!(theil_sen(&[]), None);
        assert_eq!(theil_sen(&[(1.0, 1.0)]), None);
        assert_eq!(theil_sen(&[(1.0, 1.0), (1.0, 2.0)]), None);
    }

    #[test]
    fn quantiles_are_interpolated() {
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.5), Some(2.0));
        assert_eq!(quantile(&mut [1.0, 2.0], 0.5), Some(1.5));
        assert_eq!(quantile(&mut [0.0, 10.0], 0.9), Some(9.0));
        assert_eq!(quantile(&mut [], 0.5), None);
    }
}
