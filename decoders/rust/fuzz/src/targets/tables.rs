//! Delimited text: whole, and cut anywhere.

use crate::input::Input;
use crate::Target;
use fuse_tables::config::Config;
use fuse_tables::moment::{read_clock, read_epoch, read_moment, DateOrder, TwoFields};
use fuse_tables::number::{number_at, read_cell};
use fuse_tables::parser::{Parser, State};

pub const TARGETS: &[Target] = &[
    Target::new("table", table),
    Target::new("table_cells", cells),
];

/// What a table gives, whatever pieces it came in; bits of floats, because NaN is a value here.
#[derive(Debug, Default, PartialEq)]
struct Parsed {
    numbers: Vec<Vec<u64>>,
    time: Vec<u64>,
    texts: Vec<Vec<u8>>,
    ends: Vec<Vec<u32>>,
    counts: Vec<u64>,
    strays: Vec<(u64, u32)>,
    stray_text: Vec<u8>,
    failed: bool,
}

/// Input: the configuration in short form, two sizes of pieces, then the text.
fn table(data: &[u8]) {
    let mut input = Input::new(data);
    let mut config = vec![
        input.u8() % 3,
        input.pick(b",;\t | \0x"),
        input.pick(b"\"'\0"),
        input.u8(),
    ];
    config.extend(u32::from(input.u8() % 16).to_le_bytes());
    let times = [1.0, 0.001, f64::from(input.u8()), input.f64()];
    for value in [times[usize::from(input.u8() & 3)], 1.0] {
        config.extend(value.to_le_bytes());
    }
    config.extend(f64::from(input.u8() & 1).to_le_bytes());
    config.extend(0.01f64.to_le_bytes());
    let columns = u32::from(1 + input.u8() % 12);
    config.extend(columns.to_le_bytes());
    let comments: &[u8] = if input.flag() { b"#\n//\n" } else { b"" };
    config.extend((comments.len() as u32).to_le_bytes());
    for _ in 0..columns {
        config.extend([input.u8() % 7, input.u8(), input.pick(b"..,"), 0]);
    }
    config.extend(comments);
    let Ok(config) = Config::parse(&config) else {
        return;
    };
    let piece = 1 + usize::from(input.u8());
    let text = input.rest();
    let whole = parse(&config, text, text.len().max(1));
    assert_eq!(whole, parse(&config, text, piece), "in pieces of {piece}");
}

fn parse(config: &Config, text: &[u8], piece: usize) -> Parsed {
    let mut parser = Parser::new(config);
    let mut parsed = Parsed {
        numbers: vec![Vec::new(); config.numbers],
        texts: vec![Vec::new(); config.texts],
        ends: vec![Vec::new(); config.texts],
        ..Parsed::default()
    };
    let mut at = 0usize;
    loop {
        let end = at.saturating_add(piece).min(text.len());
        let room = parser.room(end - at).expect("small pieces have room");
        // SAFETY: `room` has space for as many bytes.
        unsafe { std::ptr::copy_nonoverlapping(text[at..].as_ptr(), room, end - at) };
        let last = end == text.len();
        let mut pushed = parser.push(end - at, last);
        loop {
            take(&mut parser, &mut parsed);
            match pushed {
                Ok(State::BlockFull) => pushed = parser.push(0, last),
                Ok(State::NeedsInput) => break,
                Ok(State::Finished) => return finish(&parser, parsed),
                Err(_) => {
                    parsed.failed = true;
                    return parsed;
                }
            }
        }
        assert!(!last, "asks for more than there is");
        at = end;
    }
}

fn take(parser: &mut Parser, to: &mut Parsed) {
    let block = &mut parser.rows.block;
    for (i, column) in to.numbers.iter_mut().enumerate() {
        let from = i * block.stride;
        column.extend(
            block.numbers[from..from + block.rows]
                .iter()
                .map(|n| n.to_bits()),
        );
    }
    to.time
        .extend(block.time.iter().take(block.rows).map(|n| n.to_bits()));
    for (i, texts) in block.texts.iter().enumerate() {
        assert_eq!(texts.ends.len(), block.rows);
        let mut last = 0;
        for &end in &texts.ends {
            to.ends[i].push(end - last);
            last = end;
        }
        to.texts[i].extend(&texts.bytes);
        std::str::from_utf8(&texts.bytes).expect("texts are UTF-8");
    }
    block.clear();
}

fn finish(parser: &Parser, mut parsed: Parsed) -> Parsed {
    let rows = &parser.rows;
    parsed.counts = vec![
        rows.total,
        rows.comment_lines,
        rows.short_rows,
        rows.long_rows,
        rows.rounded,
        parser.dropped_empty,
        parser.open_quotes,
        rows.strays.count,
    ];
    let strays = rows.strays.rows.iter().map(|r| r.to_bits());
    parsed.strays = strays.zip(rows.strays.columns.iter().copied()).collect();
    parsed.stray_text = rows.strays.texts.bytes.clone();
    parsed
}

/// A single cell as a number, a date, a clock and an epoch.
fn cells(data: &[u8]) {
    let mut input = Input::new(data);
    let (decimal, exponent) = (input.pick(b".,"), u32::from(input.u8()));
    let cell = input.rest();
    read_cell(cell, decimal);
    number_at(cell, 0, decimal);
    number_at(cell, cell.len() / 2, decimal);
    for order in [DateOrder::DayFirst, DateOrder::MonthFirst] {
        read_moment(cell, order);
    }
    for two in [TwoFields::HoursMinutes, TwoFields::MinutesSeconds] {
        read_clock(cell, two);
    }
    read_epoch(cell, exponent, decimal);
}
