//! The time of each row, and whether it keeps the step the host saw in the file's head.

use crate::config::{Config, Expected, Kind};
use crate::moment::SECOND;

const DAY: i128 = 86_400 * SECOND;

/// Makes seconds out of the time cells of a row, row after row.
pub struct RowClock {
    multiply: f64,
    divide: f64,
    expected: Option<Expected>,
    from_first: bool,
    /// Times of day without a date: going back half a day means that midnight has passed.
    wraps: bool,
    parts: usize,
    days: i128,
    last_part: Option<i128>,
    previous: Option<f64>,
    pub base: Option<i128>,
    pub rollovers: u64,
    pub violations: u64,
    pub first_violation: Option<u64>,
    pub worst: f64,
    pub backward: u64,
    pub first_backward: Option<u64>,
    pub missing: u64,
}

/// The time cells of one row.
#[derive(Default)]
pub struct RowTime {
    pub number: Option<f64>,
    pub sum: i128,
    pub parts: usize,
}

impl RowClock {
    pub fn new(config: &Config) -> Self {
        let count = |f: fn(&Kind) -> bool| config.columns.iter().filter(|c| f(&c.kind)).count();
        let clocks = count(|k| matches!(k, Kind::Clock(_)));
        let dates = count(|k| matches!(k, Kind::Moment(_) | Kind::Epoch(_)));
        RowClock {
            multiply: config.time_multiply,
            divide: config.time_divide,
            expected: config.expected,
            from_first: config.from_first,
            wraps: clocks > 0 && dates == 0 && config.from_first,
            parts: clocks + dates,
            days: 0,
            last_part: None,
            previous: None,
            base: None,
            rollovers: 0,
            violations: 0,
            first_violation: None,
            worst: 0.0,
            backward: 0,
            first_backward: None,
            missing: 0,
        }
    }

    /// Seconds of a row; NaN when its cells give none.
    pub fn seconds(&mut self, row: u64, cells: &RowTime) -> f64 {
        let time = if self.parts > 0 {
            if cells.parts == self.parts {
                self.summed(cells.sum)
            } else {
                f64::NAN
            }
        } else {
            cells
                .number
                .map_or(f64::NAN, |n| n * self.multiply / self.divide)
        };
        if time.is_nan() {
            self.missing += 1;
            // The step across a hole says nothing, but a hole is a break of the constant step.
            if self.expected.is_some() {
                self.violate(row);
            }
            return time;
        }
        if let Some(previous) = self.previous {
            if time < previous {
                self.backward += 1;
                self.first_backward.get_or_insert(row);
            }
            if let Some(Expected { step, tolerance }) = self.expected {
                let off = (time - previous - step).abs();
                self.worst = self.worst.max(off);
                if off > tolerance + 8.0 * f64::EPSILON * time.abs() {
                    self.violate(row);
                }
            }
        }
        self.previous = Some(time);
        time
    }

    fn violate(&mut self, row: u64) {
        self.violations += 1;
        self.first_violation.get_or_insert(row);
    }

    fn summed(&mut self, sum: i128) -> f64 {
        if self.wraps {
            if self.last_part.is_some_and(|last| last - sum > DAY / 2) {
                self.days += 1;
                self.rollovers += 1;
            }
            self.last_part = Some(sum);
        }
        let moment = sum.saturating_add(self.days * DAY);
        let base = *self.base.get_or_insert(moment);
        seconds_of(if self.from_first {
            moment.saturating_sub(base)
        } else {
            moment
        })
    }
}

/// Nanoseconds as the nearest double of seconds.
fn seconds_of(nanoseconds: i128) -> f64 {
    if nanoseconds.unsigned_abs() < 1 << 53 {
        nanoseconds as f64 / 1e9
    } else {
        (nanoseconds / SECOND) as f64 + (nanoseconds % SECOND) as f64 / 1e9
    }
}
