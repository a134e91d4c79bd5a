//! Delimited text: a push parser that turns bytes into columns.
//!
//! The host describes the table once ([`config::Config::parse`]), then writes bytes into
//! [`tables_room`], calls [`tables_push`], and takes columns out whenever a block is full.

pub mod block;
pub mod clock;
pub mod config;
pub mod moment;
pub mod number;
pub mod parser;
pub mod rows;
pub mod utf16;

pub use fuse_core::abi;

use abi::{fail, input};
use fuse_core::Error;
use parser::Parser;
use std::cell::RefCell;

/// A parser and what the host is shown of it.
struct Open {
    parser: Parser,
    report: Vec<f64>,
}

thread_local! {
    static OPEN: RefCell<Vec<Option<Box<Open>>>> = const { RefCell::new(Vec::new()) };
}

/// Parsers open at once; a host that forgets to free them is told so.
const MOST_OPEN: usize = 64;

fn with<T>(handle: usize, default: T, body: impl FnOnce(&mut Open) -> T) -> T {
    OPEN.with(|open| match open.borrow_mut().get_mut(handle) {
        Some(Some(parser)) => body(parser),
        _ => default,
    })
}

fn unknown() -> Error {
    Error::corrupt("no such table parser")
}

/// A parser for the table described by `length` bytes at `config`: its handle, or an error code.
///
/// # Safety
/// `config..config + length` must be readable.
#[no_mangle]
pub unsafe extern "C" fn tables_open(config: *const u8, length: usize) -> i32 {
    let config = match config::Config::parse(input(config, length)) {
        Ok(config) => config,
        Err(e) => return fail(&e),
    };
    let made = Box::new(Open {
        parser: Parser::new(&config),
        report: Vec::new(),
    });
    OPEN.with(|open| {
        let mut open = open.borrow_mut();
        let place = open.iter().position(Option::is_none).unwrap_or_else(|| {
            open.push(None);
            open.len() - 1
        });
        if place >= MOST_OPEN {
            return fail(&Error::limit("too many tables open at once"));
        }
        open[place] = Some(made);
        place as i32
    })
}

/// Gives a parser's memory back.
#[no_mangle]
pub extern "C" fn tables_close(handle: usize) {
    OPEN.with(|open| {
        if let Some(place) = open.borrow_mut().get_mut(handle) {
            *place = None;
        }
    });
}

/// Where to write the next `length` bytes of the file; null when there is no room for so many.
#[no_mangle]
pub extern "C" fn tables_room(handle: usize, length: usize) -> *mut u8 {
    with(handle, std::ptr::null_mut(), |o| {
        match o.parser.room(length) {
            Ok(place) => place,
            Err(e) => {
                fail(&e);
                std::ptr::null_mut()
            }
        }
    })
}

/// Parses what was written: 0 write more, 1 take the rows and push again, 2 finished; or an error code.
#[no_mangle]
pub extern "C" fn tables_push(handle: usize, length: usize, last: u32) -> i32 {
    with(handle, None, |o| Some(o.parser.push(length, last != 0))).map_or_else(
        || fail(&unknown()),
        |result| match result {
            Ok(state) => state as i32,
            Err(e) => fail(&e),
        },
    )
}

/// Rows in the block.
#[no_mangle]
pub extern "C" fn tables_rows(handle: usize) -> usize {
    with(handle, 0, |o| o.parser.rows.block.rows)
}

/// Address of the number columns, [`tables_stride`] doubles apart.
#[no_mangle]
pub extern "C" fn tables_numbers(handle: usize) -> *const f64 {
    with(handle, std::ptr::null(), |o| {
        o.parser.rows.block.numbers.as_ptr()
    })
}

/// Doubles from one number column to the next.
#[no_mangle]
pub extern "C" fn tables_stride(handle: usize) -> usize {
    with(handle, 0, |o| o.parser.rows.block.stride)
}

/// Address of the times, seconds.
#[no_mangle]
pub extern "C" fn tables_time(handle: usize) -> *const f64 {
    with(handle, std::ptr::null(), |o| {
        o.parser.rows.block.time.as_ptr()
    })
}

/// Text column `column` (or the stray cells' texts, past the last): `what` 0 address of the UTF-8,
/// 1 its bytes, 2 address of the ends (u32, UTF-16 code units), 3 number of texts.
#[no_mangle]
pub extern "C" fn tables_text(handle: usize, column: usize, what: u32) -> usize {
    with(handle, 0, |o| {
        let rows = &o.parser.rows;
        let texts = rows.block.texts.get(column).unwrap_or(&rows.strays.texts);
        match what {
            0 => texts.bytes.as_ptr() as usize,
            1 => texts.bytes.len(),
            2 => texts.ends.as_ptr() as usize,
            _ => texts.ends.len(),
        }
    })
}

/// Rows (`what` 0, f64) or columns (`what` 1, u32) of the stray cells.
#[no_mangle]
pub extern "C" fn tables_strays(handle: usize, what: u32) -> usize {
    with(handle, 0, |o| match what {
        0 => o.parser.rows.strays.rows.as_ptr() as usize,
        _ => o.parser.rows.strays.columns.as_ptr() as usize,
    })
}

/// Empties the block, after its rows were taken.
#[no_mangle]
pub extern "C" fn tables_clear(handle: usize) {
    with(handle, (), |o| o.parser.rows.block.clear());
}

/// Address of the counts so far, as doubles: rows, stray cells, comment lines, records without values,
/// short rows, long rows, open quotes, steps off the expected one, row of the first of them (or -1),
/// largest deviation (s), backward steps, row of the first (or -1), rows without time, midnights,
/// rounded integers, base time as whole seconds and nanoseconds (or NaN); then per column: filled
/// cells, cells that do not fit, texts that are numbers.
#[no_mangle]
pub extern "C" fn tables_report(handle: usize) -> *const f64 {
    with(handle, std::ptr::null(), |o| {
        let parser = &o.parser;
        let rows = &parser.rows;
        let clock = &rows.clock;
        let row = |r: Option<u64>| r.map_or(-1.0, |r| r as f64);
        let (seconds, nanoseconds) = clock.base.map_or((f64::NAN, f64::NAN), |b| {
            (
                b.div_euclid(moment::SECOND) as f64,
                b.rem_euclid(moment::SECOND) as f64,
            )
        });
        o.report = vec![
            rows.total as f64,
            rows.strays.count as f64,
            rows.comment_lines as f64,
            parser.dropped_empty as f64,
            rows.short_rows as f64,
            rows.long_rows as f64,
            parser.open_quotes as f64,
            clock.violations as f64,
            row(clock.first_violation),
            clock.worst,
            clock.backward as f64,
            row(clock.first_backward),
            clock.missing as f64,
            clock.rollovers as f64,
            rows.rounded as f64,
            seconds,
            nanoseconds,
        ];
        for tally in &rows.tallies {
            o.report
                .extend([tally.filled as f64, tally.bad as f64, tally.numeric as f64]);
        }
        o.report.as_ptr()
    })
}

#[cfg(test)]
mod tests;
