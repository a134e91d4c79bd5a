use crate::config::{Column, Config, Encoding, Expected, Kind};
use crate::moment::{DateOrder, TwoFields};
use crate::parser::{Parser, State};

fn config(separator: u8, kinds: &[Kind]) -> Config {
    let count = |f: fn(&Kind) -> bool| kinds.iter().filter(|k| f(k)).count();
    Config {
        encoding: Encoding::Bytes,
        separator,
        quote: b'"',
        comments: vec![],
        columns: kinds
            .iter()
            .map(|&kind| Column {
                kind,
                decimal: b'.',
            })
            .collect(),
        numbers: count(|k| matches!(k, Kind::Number(_))),
        texts: count(|k| matches!(k, Kind::Text(_))),
        block_rows: 4,
        time_multiply: 1.0,
        time_divide: 1.0,
        expected: None,
        from_first: true,
        inspect_texts: true,
    }
}

#[derive(Debug, Default, PartialEq)]
struct Table {
    time: Vec<f64>,
    numbers: Vec<Vec<f64>>,
    texts: Vec<Vec<String>>,
}

fn take(parser: &mut Parser, into: &mut Table) {
    let block = &parser.rows.block;
    into.time.extend(block.time.iter().take(block.rows));
    for (i, column) in into.numbers.iter_mut().enumerate() {
        column.extend(&block.numbers[i * block.stride..][..block.rows]);
    }
    for (i, column) in into.texts.iter_mut().enumerate() {
        let texts = &block.texts[i];
        let all: Vec<u16> = std::str::from_utf8(&texts.bytes)
            .unwrap()
            .encode_utf16()
            .collect();
        let mut from = 0;
        for &end in &texts.ends {
            column.push(String::from_utf16(&all[from..end as usize]).unwrap());
            from = end as usize;
        }
    }
    parser.rows.block.clear();
}

fn parse_pieces(config: &Config, pieces: &[&[u8]]) -> (Table, Parser) {
    let mut parser = Parser::new(config);
    let mut table = Table {
        time: vec![],
        numbers: vec![vec![]; config.numbers],
        texts: vec![vec![]; config.texts],
    };
    for (i, piece) in pieces.iter().enumerate() {
        let room = parser.room(piece.len()).unwrap();
        // SAFETY: `room` gave a buffer of this length.
        unsafe { std::ptr::copy_nonoverlapping(piece.as_ptr(), room, piece.len()) };
        let last = i + 1 == pieces.len();
        let mut state = parser.push(piece.len(), last).unwrap();
        while state == State::BlockFull {
            take(&mut parser, &mut table);
            state = parser.push(0, last).unwrap();
        }
        assert_eq!(
            state,
            if last {
                State::Finished
            } else {
                State::NeedsInput
            }
        );
    }
    take(&mut parser, &mut table);
    (table, parser)
}

/// Parses whole and cut at every place, which must give the same.
fn parse(config: &Config, text: &[u8]) -> (Table, Parser) {
    let whole = parse_pieces(config, &[text]);
    for cut in 0..=text.len() {
        let (table, parser) = parse_pieces(config, &[&text[..cut], &text[cut..]]);
        assert_eq!(
            format!("{table:?}"),
            format!("{:?}", whole.0),
            "cut at {cut}"
        );
        assert_eq!(
            parser.rows.strays.count, whole.1.rows.strays.count,
            "cut at {cut}"
        );
    }
    whole
}

const N0: Kind = Kind::Number(0);
const N1: Kind = Kind::Number(1);
const T0: Kind = Kind::Text(0);

#[test]
fn line_ends_blank_lines_and_a_missing_last_one() {
    let (table, _) = parse(&config(b',', &[N0, N1]), b"1,2\r\n3,4\r\r\n\n5 , 6\n 7,8");
    assert_eq!(table.numbers, [[1.0, 3.0, 5.0, 7.0], [2.0, 4.0, 6.0, 8.0]]);
}

#[test]
fn quotes_hold_separators_newlines_and_quotes() {
    let text = b"\"a,\"\"b\"\"\n\",1\n\"\",\"2.5\"\nplain \"q\", \"3\" \n\"x\"y,4";
    let (table, parser) = parse(&config(b',', &[T0, N0]), text);
    assert_eq!(table.texts[0], ["a,\"b\"\n", "", "plain \"q\"", "xy"]);
    assert_eq!(table.numbers[0], [1.0, 2.5, 3.0, 4.0]);
    assert_eq!(parser.rows.strays.count, 0);
}

#[test]
fn a_quote_that_never_closes_is_text() {
    let (table, parser) = parse(&config(b';', &[T0, N0]), b"a;1\n\"b;2\nc;3\n");
    assert_eq!(table.texts[0], ["a", "\"b", "c"]);
    assert_eq!(table.numbers[0], [1.0, 2.0, 3.0]);
    assert_eq!(parser.open_quotes, 1);
}

#[test]
fn runs_of_blanks_separate() {
    let (table, _) = parse(&config(0, &[N0, T0, N1]), b"  1   ab\t2.5  \n3 cd -4\n");
    assert_eq!(table.numbers, [[1.0, 3.0], [2.5, -4.0]]);
    assert_eq!(table.texts[0], ["ab", "cd"]);
}

#[test]
fn empty_and_missing_cells_are_nan_and_long_rows_are_kept_as_strays() {
    let (table, parser) = parse(
        &config(b'\t', &[N0, N1]),
        b"\t1\n2\t\nNaN\n3\t4\tx\t\n5\t6\t\n",
    );
    let shown = format!("{:?}", table.numbers);
    assert_eq!(
        shown,
        "[[NaN, 2.0, NaN, 3.0, 5.0], [1.0, NaN, NaN, 4.0, 6.0]]"
    );
    assert_eq!((parser.rows.short_rows, parser.rows.long_rows), (1, 1));
    assert_eq!(parser.rows.strays.rows, [3.0]);
    assert_eq!(parser.rows.strays.columns, [2]);
    assert_eq!(parser.rows.strays.texts.bytes, b"x");
}

#[test]
fn cells_that_do_not_fit_keep_their_text() {
    let (table, parser) = parse(&config(b',', &[N0, N1]), b"1,2\noff,3\n4,err\n");
    assert!(table.numbers[0][1].is_nan() && table.numbers[1][2].is_nan());
    assert_eq!(parser.rows.strays.texts.bytes, b"offerr");
    assert_eq!(parser.rows.strays.columns, [0, 1]);
    assert_eq!(parser.rows.tallies[0].bad, 1);
}

#[test]
fn rows_without_values_stay_in_place_unless_they_end_the_table() {
    let (table, parser) = parse(&config(b',', &[N0, N1]), b"1,2\n,\n,\n3,4\n,\n\"\",\n");
    assert_eq!(format!("{:?}", table.numbers[0]), "[1.0, NaN, NaN, 3.0]");
    assert_eq!(parser.dropped_empty, 2);
    let (table, parser) = parse(&config(b',', &[Kind::Time, N0]), b"1,2\n,\n3,4\n");
    assert_eq!(table.time, [1.0, 3.0]);
    assert_eq!(parser.dropped_empty, 1);
}

#[test]
fn comment_lines_are_no_rows() {
    let mut c = config(b',', &[N0, N1]);
    c.comments = vec![b"#".to_vec(), b"//".to_vec()];
    let (table, parser) = parse(&c, b"1,2\n# note, 5\n//x\n3,4\n#end");
    assert_eq!(table.numbers[0], [1.0, 3.0]);
    assert_eq!(parser.rows.comment_lines, 3);
    assert_eq!(parser.rows.strays.texts.bytes, b"# note, 5//x#end");
    assert_eq!(parser.rows.strays.rows, [1.0, 1.0, 2.0]);
}

#[test]
fn decimal_commas_and_time_factors() {
    let mut c = config(b';', &[Kind::Time, N0]);
    c.columns
        .iter_mut()
        .for_each(|column| column.decimal = b',');
    c.time_divide = 1000.0;
    let (table, _) = parse(&c, b"0,0;0,01\r\n10;-1,5e-3\r\n20,5;7\r\n");
    assert_eq!(table.time, [0.0, 0.01, 0.0205]);
    assert_eq!(table.numbers[0], [0.01, -0.0015, 7.0]);
}

#[test]
fn moments_count_from_the_first_row() {
    let c = config(b',', &[Kind::Moment(DateOrder::DayFirst), N0]);
    let text =
        b"2021-03-17T14:25:36.000Z,1\n2021-03-17T14:25:36.010Z,2\nbad,3\n2021-03-18T00:00:00Z,4";
    let (table, parser) = parse(&c, text);
    assert_eq!(format!("{:?}", table.time), "[0.0, 0.01, NaN, 34464.0]");
    assert_eq!(parser.rows.clock.base, Some(1_615_991_136_000_000_000));
    assert_eq!(
        (parser.rows.clock.missing, parser.rows.strays.count),
        (1, 1)
    );
}

#[test]
fn date_and_clock_columns_add_up_and_clocks_pass_midnight() {
    let two = TwoFields::HoursMinutes;
    let c = config(
        b',',
        &[Kind::Moment(DateOrder::DayFirst), Kind::Clock(two), N0],
    );
    let (table, _) = parse(&c, b"17.3.2021,23:59:59,1\n18.3.2021,00:00:01.5,2\n");
    assert_eq!(table.time, [0.0, 2.5]);
    let c = config(b',', &[Kind::Clock(two), N0]);
    let (table, parser) = parse(&c, b"23:59:59,1\n00:00:01,2\n00:00:02,3\n");
    assert_eq!(table.time, [0.0, 2.0, 3.0]);
    assert_eq!(parser.rows.clock.rollovers, 1);
}

#[test]
fn steps_off_the_expected_one_are_counted() {
    let mut c = config(b',', &[Kind::Time, N0]);
    c.expected = Some(Expected {
        step: 0.1,
        tolerance: 0.001,
    });
    let (_, parser) = parse(&c, b"0.0,1\n0.1,1\n0.2,1\n0.4,1\n0.35,1\n");
    let clock = &parser.rows.clock;
    assert_eq!((clock.violations, clock.first_violation), (2, Some(3)));
    assert_eq!((clock.backward, clock.first_backward), (1, Some(4)));
}

#[test]
fn utf16_goes_the_same_way() {
    let mut c = config(b'\t', &[N0, T0]);
    c.encoding = Encoding::Utf16 { big_endian: false };
    let bytes: Vec<u8> = "1,5\t\u{b5}\u{1f40d}\r\n2\tb\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    c.columns[0].decimal = b',';
    let (table, _) = parse(&c, &bytes);
    assert_eq!(table.numbers[0], [1.5, 2.0]);
    assert_eq!(table.texts[0], ["\u{b5}\u{1f40d}", "b"]);
}

#[test]
fn any_bytes_are_survived() {
    let mut state = 7_u64;
    for round in 0..300 {
        let bytes: Vec<u8> = (0..200)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1442695040888963407);
                let pick = (state >> 33) as usize;
                if round % 2 == 0 {
                    b"12,.-e\"\n\r\t ;#:Tx"[pick % 16]
                } else {
                    pick as u8
                }
            })
            .collect();
        for separator in [b',', b'\t', 0] {
            let mut c = config(
                separator,
                &[Kind::Clock(TwoFields::HoursMinutes), N0, T0, N1],
            );
            c.comments = vec![b"#".to_vec()];
            parse_pieces(&c, &[&bytes]);
        }
    }
}

#[test]
fn a_line_without_end_is_refused() {
    let mut parser = Parser::new(&config(b',', &[N0]));
    let piece = vec![b'1'; 1 << 20];
    let mut refused = false;
    for _ in 0..6 {
        let room = parser.room(piece.len()).unwrap();
        // SAFETY: `room` gave a buffer of this length.
        unsafe { std::ptr::copy_nonoverlapping(piece.as_ptr(), room, piece.len()) };
        if parser.push(piece.len(), false).is_err() {
            refused = true;
            break;
        }
    }
    assert!(refused);
}
