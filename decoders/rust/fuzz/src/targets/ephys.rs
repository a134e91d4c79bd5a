//! Blocks of Spike2 files, Blackrock packets, LabChart blocks, lines of text exports.

use crate::input::Input;
use crate::Target;
use fuse_ephys::{blackrock_nev, blackrock_ptp, labchart, son32, son64, text_sections};

pub const TARGETS: &[Target] = &[
    Target::new("son32_scan", son32_scan),
    Target::new("son32_items", son32_items),
    Target::new("son64_runs", son64_runs),
    Target::new("son64_items", son64_items),
    // Rows of waveforms may be as long as the header says: 16 MiB for each packet at most.
    Target::new("blackrock_nev", nev).holding(64),
    Target::new("blackrock_ptp", ptp),
    Target::new("labchart_block", labchart_block),
    Target::new("text_sections", sections),
];

/// Input: window base, byte order and unit, cursors, then the file; every chain is followed to its end.
fn son32_scan(data: &[u8]) {
    let mut input = Input::new(data);
    let (little, large) = (input.flag(), input.flag());
    let base = f64::from(input.u16());
    let count = usize::from(input.u8() % 6);
    let mut cursors: Vec<son32::Cursor> = (0..count)
        .map(|_| son32::Cursor {
            next: f64::from(input.u16()),
            previous: -1.0,
            last: f64::from(input.u16()) - 1.0,
            mark: -1.0,
            steps: 0,
            lap: 1,
            number: u32::from(input.u8()),
            state: 0,
            end_tick: 0,
            beyond: 0,
        })
        .collect();
    let window = input.rest();
    let unit = if large { 512.0 } else { 1.0 };
    let mut rows = [son32::Row::default(); 7];
    let mut visited = 0;
    loop {
        let n = son32::scan(window, base, unit, little, &mut cursors, &mut rows);
        visited += n;
        // Brent's guard sees a loop after at most three times the blocks before and in it.
        assert!(
            visited <= 6 * 4 * (window.len() + 1),
            "{visited} blocks in {} bytes",
            window.len()
        );
        if n < rows.len() {
            break;
        }
    }
}

/// Buffers of the sizes the host gives: `None` for numbers no host would allocate.
fn buffers(count: usize, extra_bytes: usize) -> Option<(Vec<f64>, Vec<u8>, Vec<u8>)> {
    let extra = count.checked_mul(extra_bytes).filter(|&n| n < 1 << 20)?;
    (count < 1 << 16).then(|| (vec![0.0; count], vec![0; 4 * count], vec![0; extra]))
}

fn son32_items(data: &[u8]) {
    let mut input = Input::new(data);
    let items = son32::Items {
        little: input.flag(),
        codes: input.flag(),
        extra_bytes: input.size(),
        element_bytes: usize::from(input.u8()).max(1),
        numerator: input.f64(),
        denominator: input.f64(),
    };
    let count = input.size();
    let width = usize::from(input.u8());
    let payload = input.rest();
    let mut lengths = vec![0; usize::from(input.u8())];
    assert!(son32::text_lengths(payload, width, &mut lengths) <= lengths.len());
    let Some((mut times, mut codes, mut extra)) = buffers(count, items.extra_bytes) else {
        return;
    };
    if let Ok(n) = items.split(payload, count, &mut times, &mut codes, &mut extra) {
        assert_eq!(n, count);
    }
}

fn son64_runs(data: &[u8]) {
    let mut input = Input::new(data);
    let room = input.size();
    let sample_bytes = input.count();
    let mut cursor = son64::Cursor {
        first: input.i64(),
        expected: input.i64(),
        divide: input.i64(),
        started: u32::from(input.flag()),
        padding: 0,
    };
    let mut out = vec![son64::Run::default(); usize::from(input.u8())];
    let block = input.rest();
    if let Ok(n) = son64::runs(block, room, sample_bytes, &mut cursor, &mut out) {
        for run in &out[..n] {
            let bytes = run.count as usize * sample_bytes;
            assert!(run.count > 0 && run.offset as usize + bytes <= room);
        }
    }
}

fn son64_items(data: &[u8]) {
    let mut input = Input::new(data);
    let items = son64::Items {
        stride: input.count(),
        codes: input.flag(),
        extra_bytes: input.size(),
        numerator: input.f64(),
        denominator: input.f64(),
    };
    let count = input.size();
    let Some((mut times, mut codes, mut extra)) = buffers(count, items.extra_bytes) else {
        return;
    };
    let payload = input.rest();
    if let Ok(n) = items.split(payload, count, &mut times, &mut codes, &mut extra) {
        assert_eq!(n, count);
    }
}

/// Input: the configuration in short form, then packets.
fn nev(data: &[u8]) {
    let mut input = Input::new(data);
    let packet = u32::from(input.u16());
    let mut config = Vec::new();
    let fields = [
        packet,
        u32::from(input.u8() & 7),
        u32::from(input.u8()),
        // Hosts give no rows longer than a packet.
        u32::from(input.u16()).min(packet),
        u32::from(input.u8()),
        u32::from(input.u8()),
        input.u32(),
        0,
    ];
    fields.iter().for_each(|w| config.extend(w.to_le_bytes()));
    config.extend(input.f64().to_le_bytes());
    config.extend(input.i64().to_le_bytes());
    config.extend([0; 8]);
    for _ in 0..input.u8() % 8 {
        config.extend(input.bytes(8));
    }
    let last = u32::from(input.flag());
    let packets = input.rest();
    // SAFETY: both slices live through the call.
    let used = unsafe {
        blackrock_nev::blackrock_nev_scan(
            config.as_ptr(),
            config.len(),
            packets.as_ptr(),
            packets.len(),
            last,
        )
    };
    assert!(used <= packets.len() as i32);
    assert!(used < 0 || used % packet.max(1) as i32 == 0);
    blackrock_nev::blackrock_nev_tables();
    blackrock_nev::blackrock_nev_release();
}

fn ptp(data: &[u8]) {
    let mut input = Input::new(data);
    let (stride, wide) = (input.size(), u32::from(input.flag()));
    let (scale, zero) = (input.f64(), input.i64());
    let bytes = input.rest();
    let packets = bytes.len().checked_div(stride).unwrap_or(0);
    let (mut breaks, mut times) = (vec![0u32; packets], vec![0f64; packets]);
    let (at, length) = (bytes.as_ptr(), bytes.len());
    // SAFETY: the slice lives through the calls, and each output holds one number a packet.
    let (found, timed) = unsafe {
        (
            blackrock_ptp::blackrock_ptp_breaks(
                at,
                length,
                stride,
                wide,
                scale,
                breaks.as_mut_ptr(),
            ),
            blackrock_ptp::blackrock_ptp_times(
                at,
                length,
                stride,
                wide,
                scale,
                zero as u32,
                (zero >> 32) as u32,
                times.as_mut_ptr(),
            ),
        )
    };
    assert!(found < packets.max(1) as i32);
    assert!(timed < 0 || timed == packets as i32);
}

fn labchart_block(data: &[u8]) {
    use labchart::Symbols;
    let mut input = Input::new(data);
    let symbols = input.pick(&[Symbols::Int16, Symbols::Float32, Symbols::MacInt32]);
    let count = input.count();
    let mut out = vec![0; input.size()];
    let bytes = input.rest();
    let result = match symbols {
        Symbols::MacInt32 => labchart::planes(bytes, symbols, count, &mut out),
        _ => labchart::block(bytes, symbols, count, &mut out),
    };
    if let Ok(n) = result {
        assert!(n == count && n * symbols.sample_bytes() <= out.len());
    }
}

/// Lines found in windows of a few bytes are those found at once.
fn sections(data: &[u8]) {
    let mut input = Input::new(data);
    let window = 1 + input.size();
    let text = input.rest();
    let whole = lines(text, text.len().max(1));
    if let Some(pieces) = whole.as_ref().and(lines(text, window)) {
        assert_eq!(whole, Some(pieces));
    }
}

/// Absolute offset, length and counts of all lines of text; `None` when a line is longer than a window.
fn lines(text: &[u8], window: usize) -> Option<Vec<[f64; 5]>> {
    let mut state = text_sections::State::default();
    let mut found = Vec::new();
    let mut at = 0usize;
    while at < text.len() {
        let end = at.saturating_add(window).min(text.len());
        let mut out = [text_sections::Line::default(); 3];
        let last = end == text.len();
        let n = text_sections::scan(&text[at..end], at as f64, last, &mut state, &mut out);
        for line in &out[..n] {
            found.push([
                f64::from(line.offset) + at as f64,
                f64::from(line.length),
                line.numbers,
                line.numbers_start,
                line.numbers_end,
            ]);
        }
        if state.used == 0 {
            return None;
        }
        at += state.used as usize;
    }
    Some(found)
}
