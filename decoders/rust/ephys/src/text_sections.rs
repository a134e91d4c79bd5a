//! Finds the lines of a text that are no numbers, and counts those between them: Spike2 writes each
//! channel as a few lines of quoted text followed by up to millions of numbers, one a line.

/// A line that is neither blank nor begins with a number, and what stood before it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    /// Byte of its first character in the window.
    pub offset: u32,
    /// Its length without what ends it.
    pub length: u32,
    /// Lines of numbers since the line of text before it, and where they begin and end.
    pub numbers: f64,
    pub numbers_start: f64,
    pub numbers_end: f64,
}

/// What is kept from window to window. The host holds it, so its layout is fixed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    pub numbers: f64,
    pub numbers_start: f64,
    pub numbers_end: f64,
    /// Bytes of the window that were used.
    pub used: u32,
    pub padding: u32,
}

fn begins_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.')
}

/// Goes through whole lines of `window`, which begins at byte `base`; `last` makes a line of what
/// follows the last line end. Stops early when `lines` is full. Returns the lines written.
pub fn scan(window: &[u8], base: f64, last: bool, state: &mut State, lines: &mut [Line]) -> usize {
    let mut at = 0;
    let mut count = 0;
    while at < window.len() {
        let rest = &window[at..];
        let end = rest.iter().position(|&b| b == b'\n' || b == b'\r');
        let (length, next) = match end {
            Some(n) => (n, at + n + 1),
            None if last => (rest.len(), window.len()),
            None => break,
        };
        let line = &rest[..length];
        let first = line.iter().position(|&b| b != b' ' && b != b'\t');
        match first.map(|i| line[i]) {
            None => {}
            Some(byte) if begins_number(byte) => {
                let begin = base + at as f64;
                if state.numbers == 0.0 {
                    state.numbers_start = begin;
                }
                state.numbers += 1.0;
                state.numbers_end = begin + length as f64;
            }
            Some(_) => {
                let Some(out) = lines.get_mut(count) else {
                    break;
                };
                *out = Line {
                    offset: at as u32,
                    length: length as u32,
                    numbers: state.numbers,
                    numbers_start: state.numbers_start,
                    numbers_end: state.numbers_end,
                };
                count += 1;
                state.numbers = 0.0;
            }
        }
        at = next;
    }
    state.used = at as u32;
    count
}

/// The functions the host calls.
mod exports {
    use super::{scan, Line, State};
    use fuse_core::abi::{input, output, status};

    /// [`scan`]. Returns the lines written.
    ///
    /// # Safety
    /// `window` must be valid for its length, `state` for one state and `lines` for `line_count`.
    #[no_mangle]
    pub unsafe extern "C" fn text_sections(
        window: *const u8,
        window_bytes: usize,
        base: f64,
        last: u32,
        state: *mut State,
        lines: *mut Line,
        line_count: usize,
    ) -> i32 {
        let lines = output(lines, line_count);
        let window = input(window, window_bytes);
        status(Ok(match output(state, 1).first_mut() {
            Some(state) => scan(window, base, last != 0, state, lines),
            None => 0,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &[u8], window: usize, room: usize) -> (Vec<(String, f64, f64, f64)>, State) {
        let mut state = State::default();
        let mut lines = vec![Line::default(); room];
        let mut out = Vec::new();
        let mut base = 0;
        let mut size = window;
        while base < text.len() {
            let end = (base + size).min(text.len());
            let part = &text[base..end];
            let n = scan(part, base as f64, end == text.len(), &mut state, &mut lines);
            for l in &lines[..n] {
                let line = &part[l.offset as usize..(l.offset + l.length) as usize];
                out.push((
                    String::from_utf8_lossy(line).into_owned(),
                    l.numbers,
                    l.numbers_start,
                    l.numbers_end,
                ));
            }
            // A line longer than the window needs a larger one.
            size = if state.used == 0 { size * 2 } else { window };
            base += state.used as usize;
        }
        (out, state)
    }

    #[test]
    fn texts_are_found_and_numbers_counted_however_the_windows_fall() {
        let text = b"\"CHANNEL\"\t\"1\"\r\n\r\n 0.5\r\n-1\r\n\r\n\"START\"\t2\n.25\n+7\n8\r9\n";
        let want = (
            vec![
                ("\"CHANNEL\"\t\"1\"".to_string(), 0.0, 0.0, 0.0),
                ("\"START\"\t2".to_string(), 2.0, 17.0, 25.0),
            ],
            (4.0, 39.0, 49.0),
        );
        for window in [1, 7, 16, 1000] {
            for room in [1, 8] {
                let (lines, state) = run(text, window, room);
                let rest = (state.numbers, state.numbers_start, state.numbers_end);
                assert_eq!((lines, rest), want, "window {window}, room {room}");
            }
        }
        assert_eq!(run(b"", 10, 1).0, []);
        let (lines, state) = run(b"1\n2", 10, 1);
        assert_eq!(
            (lines.len(), state.numbers, state.numbers_end),
            (0, 2.0, 3.0)
        );
    }
}
