//! Moving words from scattered places to rows.
//!
//! Where channels lie side by side, as many of them as a vector holds are transposed for as many
//! moments; a few channels that fill their frames are unzipped; the rest is picked word by word.

use crate::simd::*;

/// The part of the addresses that depends on time.
#[derive(Clone, Copy)]
pub enum Moments<'a> {
    /// So many, at one distance from each other.
    Even {
        first: usize,
        stride: usize,
        count: usize,
    },
    Each(&'a [usize]),
}

impl Moments<'_> {
    pub fn count(&self) -> usize {
        match self {
            Moments::Even { count, .. } => *count,
            Moments::Each(bases) => bases.len(),
        }
    }
}

/// What is done to every word on its way: bytes put in another order, then bits inverted.
#[derive(Clone, Copy)]
pub struct Change {
    places: V,
    invert: V,
}

impl Change {
    /// For words of `width` bytes: reversed or not, with or without their (then) top bit inverted.
    pub fn new(width: usize, reverse: bool, flip: bool) -> Change {
        let (mut places, mut invert) = ([0u8; 16], [0u8; 16]);
        for i in 0..16 {
            let within = i % width;
            let from = if reverse {
                i - within + (width - 1 - within)
            } else {
                i
            };
            places[i] = from as u8;
            invert[i] = if flip && within == width - 1 { 0x80 } else { 0 };
        }
        // SAFETY: both arrays are 16 bytes long.
        unsafe {
            Change {
                places: load(places.as_ptr()),
                invert: load(invert.as_ptr()),
            }
        }
    }

    #[inline(always)]
    fn apply(&self, v: V) -> V {
        xor(swizzle(v, self.places), self.invert)
    }
}

/// Copies the word at `src + bases[t] + offsets[c]` to element `t` of row `c` (rows are `row_bytes`
/// apart), for words of 1, 2, 3, 4, 8 or 16 bytes, and calls `picked(c)` for each row that was
/// not changed on the way though a `change` was given.
///
/// # Safety
/// All those words must be readable and all rows writable.
pub unsafe fn gather_words(
    width: usize,
    src: *const u8,
    moments: Moments,
    offsets: &[u32],
    rows: *mut u8,
    row_bytes: usize,
    change: Option<&Change>,
    picked: impl Fn(usize),
) {
    let to = Rows {
        at: rows,
        apart: row_bytes,
    };
    let changes = change.is_some();
    let mut c = 0;
    while c < offsets.len() {
        let near = offsets[c..].windows(2);
        let side_by_side = 1 + near
            .take_while(|p| p[1] == p[0].wrapping_add(width as u32))
            .count();
        let run = &offsets[c..c + side_by_side];
        let to = Rows {
            at: to.at.add(c * row_bytes),
            apart: row_bytes,
        };
        let done = match width {
            1 => gather::<u8, 1, 16>(src, moments, run, to, change),
            2 => gather::<u16, 2, 8>(src, moments, run, to, change),
            4 => gather::<u32, 4, 4>(src, moments, run, to, change),
            8 => gather::<u64, 8, 2>(src, moments, run, to, change),
            3 => pick::<[u8; 3]>(src, moments, run, to),
            _ => pick::<u128>(src, moments, run, to),
        };
        if changes && !done {
            (c..c + side_by_side).for_each(&picked);
        }
        c += side_by_side;
    }
}

#[derive(Clone, Copy)]
struct Rows {
    at: *mut u8,
    apart: usize,
}

/// Adjacent channels of words of `W` bytes, of which a vector holds `L`; true when changed as asked.
#[inline(always)]
unsafe fn gather<T: Copy, const W: usize, const L: usize>(
    src: *const u8,
    moments: Moments,
    run: &[u32],
    to: Rows,
    change: Option<&Change>,
) -> bool {
    let n = run.len();
    if n < L {
        if let Moments::Even {
            first,
            stride,
            count,
        } = moments
        {
            if stride == n * W && count.is_multiple_of(L) {
                let from = src.add(run[0] as usize + first);
                match n {
                    2 if L > 2 => return unzip::<W, L, 2>(from, count, to, change),
                    4 if L > 4 => return unzip::<W, L, 4>(from, count, to, change),
                    8 if L > 8 => return unzip::<W, L, 8>(from, count, to, change),
                    _ => {}
                }
            }
        }
        return pick::<T>(src, moments, run, to);
    }
    let mut c = 0;
    while c < n {
        // The last vector of channels may overlap the one before it.
        let at = c.min(n - L);
        let from = src.add(run[at] as usize);
        let to = Rows {
            at: to.at.add(at * to.apart),
            apart: to.apart,
        };
        match (change, moments) {
            (
                None,
                Moments::Even {
                    first,
                    stride,
                    count,
                },
            ) => block::<T, W, L>(from, count, |t| first + t * stride, to, |v| v),
            (None, Moments::Each(bases)) => {
                block::<T, W, L>(from, bases.len(), |t| bases[t], to, |v| v)
            }
            (
                Some(x),
                Moments::Even {
                    first,
                    stride,
                    count,
                },
            ) => block::<T, W, L>(from, count, |t| first + t * stride, to, |v| x.apply(v)),
            (Some(x), Moments::Each(bases)) => {
                block::<T, W, L>(from, bases.len(), |t| bases[t], to, |v| x.apply(v))
            }
        }
        c = at + L;
    }
    true
}

/// `L` adjacent channels at all moments.
#[inline(always)]
unsafe fn block<T: Copy, const W: usize, const L: usize>(
    src: *const u8,
    count: usize,
    base: impl Fn(usize) -> usize,
    to: Rows,
    change: impl Fn(V) -> V,
) {
    let whole = count / L * L;
    for t in (0..whole).step_by(L) {
        if W == 1 {
            // Sixteen vectors would not stay in registers: two halves of eight moments, joined.
            let half = |t: usize| {
                let mut v = [splat8(0); 8];
                for (k, x) in v.iter_mut().enumerate() {
                    *x = change(load(src.add(base(t + k))));
                }
                round::<W, 8>(round::<W, 8>(round::<W, 8>(v)))
            };
            let (early, late) = (half(t), half(t + 8));
            for k in 0..8 {
                let (a, b) = zip64(early[k], late[k]);
                store(to.at.add(2 * k * to.apart + t), a);
                store(to.at.add((2 * k + 1) * to.apart + t), b);
            }
        } else {
            let mut v = [splat8(0); L];
            for (k, x) in v.iter_mut().enumerate() {
                *x = change(load(src.add(base(t + k))));
            }
            for (c, x) in transpose::<W, L>(v).into_iter().enumerate() {
                store(to.at.add(c * to.apart + t * W), x);
            }
        }
    }
    for t in whole..count {
        let words = [change(load(src.add(base(t))))];
        let word = words.as_ptr().cast::<T>();
        for c in 0..L {
            to.at
                .add(c * to.apart)
                .cast::<T>()
                .add(t)
                .write_unaligned(word.add(c).read());
        }
    }
}

/// Transposes `L` vectors of `L` words of `W` bytes, for `L` of 2, 4 and 8.
#[inline(always)]
fn transpose<const W: usize, const L: usize>(v: [V; L]) -> [V; L] {
    match L {
        2 => round::<W, L>(v),
        4 => round::<W, L>(round::<W, L>(v)),
        _ => round::<W, L>(round::<W, L>(round::<W, L>(v))),
    }
}

/// Zipping vectors k and k + L/2 moves the top bit of a word's address to the bottom.
#[inline(always)]
fn round<const W: usize, const L: usize>(v: [V; L]) -> [V; L] {
    let mut next = v;
    for k in 0..L / 2 {
        let (a, b) = (v[k], v[k + L / 2]);
        (next[2 * k], next[2 * k + 1]) = match W {
            1 => zip8(a, b),
            2 => zip16(a, b),
            4 => zip32(a, b),
            _ => zip64(a, b),
        };
    }
    next
}

/// `N` channels that fill their frames: words of all channels in turn, unzipped log2(N) times.
#[inline(always)]
unsafe fn unzip<const W: usize, const L: usize, const N: usize>(
    from: *const u8,
    count: usize,
    to: Rows,
    change: Option<&Change>,
) -> bool {
    for i in 0..count / L {
        let mut v = [splat8(0); N];
        for (k, x) in v.iter_mut().enumerate() {
            *x = load(from.add(16 * (i * N + k)));
        }
        if let Some(change) = change {
            v = v.map(|x| change.apply(x));
        }
        for _ in 0..N.trailing_zeros() {
            let mut next = v;
            for k in 0..N / 2 {
                let (a, b) = (v[2 * k], v[2 * k + 1]);
                (next[k], next[k + N / 2]) = match W {
                    1 => unzip8(a, b),
                    2 => unzip16(a, b),
                    _ => unzip32(a, b),
                };
            }
            v = next;
        }
        for (c, x) in v.into_iter().enumerate() {
            store(to.at.add(c * to.apart + i * 16), x);
        }
    }
    true
}

/// Any words, one by one; always false, for nothing is changed.
unsafe fn pick<T: Copy>(src: *const u8, moments: Moments, run: &[u32], to: Rows) -> bool {
    for (c, &offset) in run.iter().enumerate() {
        let from = src.add(offset as usize);
        let row = to.at.add(c * to.apart).cast::<T>();
        match moments {
            Moments::Even {
                first,
                stride,
                count,
            } => {
                let from = from.add(first);
                for t in 0..count {
                    let word = from.add(t * stride).cast::<T>();
                    row.add(t).write_unaligned(word.read_unaligned());
                }
            }
            Moments::Each(bases) => {
                for (t, &base) in bases.iter().enumerate() {
                    row.add(t)
                        .write_unaligned(from.add(base).cast::<T>().read_unaligned());
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn words_arrive_whatever_the_width_count_and_spacing() {
        let mut random = Random::new(5);
        for width in [1usize, 2, 3, 4, 8, 16] {
            for channels in [1, 2, 3, 4, 7, 8, 9, 16, 17, 21, 40] {
                for n in [1, 2, 5, 8, 16, 31, 64] {
                    for gap in [0, 3] {
                        let frame = channels * width + gap;
                        let src = random.bytes(frame * n + gap);
                        let mut bases: Vec<usize> = (0..n).map(|t| t * frame).collect();
                        if gap > 0 {
                            let swap = random.below(n);
                            bases.swap(0, swap);
                        }
                        let mut offsets: Vec<u32> = (0..channels as u32)
                            .map(|c| gap as u32 + c * width as u32)
                            .collect();
                        if gap > 0 && channels > 9 {
                            offsets.swap(3, 9);
                        }
                        let apart = n * width + 5;
                        let mut rows = vec![0xaa; apart * channels];
                        let at = rows.as_mut_ptr();
                        // SAFETY: the frames end where `src` does and the rows where `rows` does.
                        unsafe {
                            let moments = match gap {
                                0 => Moments::Even {
                                    first: 0,
                                    stride: frame,
                                    count: n,
                                },
                                _ => Moments::Each(&bases),
                            };
                            gather_words(
                                width,
                                src.as_ptr(),
                                moments,
                                &offsets,
                                at,
                                apart,
                                None,
                                |_| (),
                            );
                        }
                        for c in 0..channels {
                            for (t, base) in bases.iter().enumerate() {
                                let from = base + offsets[c] as usize;
                                let to = c * apart + t * width;
                                assert_eq!(rows[to..to + width], src[from..from + width]);
                            }
                            assert!(rows[c * apart + n * width..][..5]
                                .iter()
                                .all(|&b| b == 0xaa));
                        }
                    }
                }
            }
        }
    }
}
