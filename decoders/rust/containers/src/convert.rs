//! Stored elements as plain little-endian numbers of a machine type.

use crate::float;
use crate::params::{Item, Order, Params};
use fuse_core::{Error, Result};

/// Writes the wanted items of all elements of `raw` to `out`, one after the other; gives the bytes
/// written, which are those of a whole chunk.
pub fn elements(p: &Params, raw: &[u8], out: &mut [u8]) -> Result<usize> {
    if raw.len() < p.raw_bytes && !p.partial {
        return Err(Error::truncated(format!(
            "the chunk holds {} bytes, {} are needed",
            raw.len(),
            p.raw_bytes
        ))
        .at(raw.len()));
    }
    let raw = &raw[..raw.len().min(p.raw_bytes)];
    if p.element_bytes == 0 {
        let to = out.get_mut(..raw.len()).ok_or_else(too_small)?;
        to.copy_from_slice(raw);
        out[raw.len()..].fill(0);
        return Ok(raw.len());
    }
    let places = places(p)?;
    let count = p.raw_bytes / p.element_bytes;
    let row = places.len().checked_mul(p.out_bytes);
    let total = row
        .and_then(|n| n.checked_mul(count))
        .ok_or_else(too_small)?;
    let out = out.get_mut(..total).ok_or_else(too_small)?;
    let contiguous = places.len() * p.item_bytes == p.element_bytes
        && places
            .iter()
            .enumerate()
            .all(|(i, &at)| at == i * p.item_bytes);
    if contiguous && p.item == Item::Plain && p.item_bytes == p.out_bytes {
        let held = raw.len() / p.element_bytes * p.element_bytes;
        out[..held].copy_from_slice(&raw[..held]);
        out[held..].fill(0);
        turn(p, &mut out[..held]);
        return Ok(total);
    }
    let mut items = out.chunks_exact_mut(p.out_bytes);
    for element in raw.chunks_exact(p.element_bytes) {
        for &at in &places {
            let (Some(item), Some(to)) = (element.get(at..at + p.item_bytes), items.next()) else {
                return Err(too_small());
            };
            convert(p, item, to);
        }
    }
    items.for_each(|to| to.fill(0));
    Ok(total)
}

fn too_small() -> Error {
    Error::limit("the output is smaller than the chunk")
}

/// Bytes inside an element where its items begin.
fn places(p: &Params) -> Result<Vec<usize>> {
    let outside = || Error::corrupt("a member lies outside its element");
    let mut places = vec![p.member_offset];
    for &(count, stride) in &p.arrays {
        if count.saturating_mul(places.len()) > p.element_bytes {
            return Err(outside());
        }
        let mut next = Vec::with_capacity(count * places.len());
        for &at in &places {
            for i in 0..count {
                let step = i.checked_mul(stride).ok_or_else(outside)?;
                next.push(at.checked_add(step).ok_or_else(outside)?);
            }
        }
        places = next;
    }
    if p.out_bytes == 0 || p.item_bytes == 0 || p.item_bytes > 64 {
        return Err(Error::limit(format!("items of {} bytes", p.item_bytes)));
    }
    let inside = |at: &usize| {
        at.checked_add(p.item_bytes)
            .is_some_and(|end| end <= p.element_bytes)
    };
    if !places.iter().all(inside) {
        return Err(outside());
    }
    Ok(places)
}

/// Turns the bytes of every word of plain items into little-endian order.
fn turn(p: &Params, bytes: &mut [u8]) {
    let width = p.turn_bytes;
    match p.order {
        Order::Little => {}
        Order::Big => match width {
            0 | 1 => {}
            2 => bytes.chunks_exact_mut(2).for_each(|w| w.swap(0, 1)),
            4 => bytes.chunks_exact_mut(4).for_each(<[u8]>::reverse),
            8 => bytes.chunks_exact_mut(8).for_each(<[u8]>::reverse),
            n => bytes.chunks_exact_mut(n).for_each(<[u8]>::reverse),
        },
        // Little-endian bytes in 16-bit words, the words in big-endian order.
        Order::Vax => {
            for word in bytes.chunks_exact_mut(width.max(2)) {
                word.reverse();
                word.chunks_exact_mut(2).for_each(|w| w.swap(0, 1));
            }
        }
    }
}

fn convert(p: &Params, item: &[u8], to: &mut [u8]) {
    let mut bytes = [0u8; 64];
    let bytes = &mut bytes[..item.len()];
    bytes.copy_from_slice(item);
    turn(p, bytes);
    match p.item {
        Item::Plain => {
            let n = bytes.len().min(to.len());
            to[..n].copy_from_slice(&bytes[..n]);
            to[n..].fill(0);
        }
        Item::Bits {
            offset,
            precision,
            signed,
        } => {
            let precision = precision.clamp(1, 64);
            let mut value = number(bytes).checked_shr(offset).unwrap_or(0) as u64;
            if precision < 64 {
                value &= (1 << precision) - 1;
                if signed && value >> (precision - 1) == 1 {
                    value |= u64::MAX << precision;
                }
            }
            let n = to.len().min(8);
            to[..n].copy_from_slice(&value.to_le_bytes()[..n]);
        }
        Item::Float(format) => {
            let value = float::value(&format, number(bytes));
            if to.len() == 4 {
                to.copy_from_slice(&(value as f32).to_le_bytes());
            } else {
                let n = to.len().min(8);
                to[..n].copy_from_slice(&value.to_le_bytes()[..n]);
            }
        }
    }
}

/// The first sixteen bytes as a little-endian number.
fn number(bytes: &[u8]) -> u128 {
    let mut word = [0u8; 16];
    let n = bytes.len().min(16);
    word[..n].copy_from_slice(&bytes[..n]);
    u128::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(element: usize, item: usize, count: usize) -> Params {
        Params {
            raw_bytes: element * count,
            partial: false,
            element_bytes: element,
            member_offset: 0,
            item: Item::Plain,
            item_bytes: item,
            out_bytes: item,
            order: Order::Little,
            turn_bytes: item,
            arrays: Vec::new(),
        }
    }

    fn run(p: &Params, raw: &[u8], length: usize) -> Result<Vec<u8>> {
        let mut out = vec![0xee; length];
        let n = elements(p, raw, &mut out)?;
        out.truncate(n);
        Ok(out)
    }

    #[test]
    fn copies_and_turns() {
        let raw = [1, 2, 3, 4, 5, 6, 7, 8];
        let mut p = plain(4, 4, 2);
        assert_eq!(run(&p, &raw, 8).unwrap(), raw);
        p.order = Order::Big;
        assert_eq!(run(&p, &raw, 8).unwrap(), [4, 3, 2, 1, 8, 7, 6, 5]);
        p.turn_bytes = 2;
        assert_eq!(run(&p, &raw, 8).unwrap(), [2, 1, 4, 3, 6, 5, 8, 7]);
        p.turn_bytes = 4;
        p.order = Order::Vax;
        assert_eq!(run(&p, &raw, 8).unwrap(), [3, 4, 1, 2, 7, 8, 5, 6]);
    }

    #[test]
    fn picks_members_and_arrays_of_them() {
        let raw: Vec<u8> = (0..24).collect();
        let mut p = plain(12, 2, 2);
        p.member_offset = 4;
        assert_eq!(run(&p, &raw, 4).unwrap(), [4, 5, 16, 17]);
        p.arrays = vec![(2, 4)];
        assert_eq!(run(&p, &raw, 8).unwrap(), [4, 5, 8, 9, 16, 17, 20, 21]);
        p.arrays = vec![(2, 8)];
        assert!(run(&p, &raw, 8).is_err(), "outside");
        p.arrays = vec![(1 << 30, 0)];
        assert!(run(&p, &raw, 8).is_err(), "too many");
    }

    #[test]
    fn widens_bits() {
        let mut p = plain(3, 3, 2);
        p.out_bytes = 4;
        p.item = Item::Bits {
            offset: 4,
            precision: 12,
            signed: true,
        };
        let out = run(&p, &[0xf0, 0xff, 0, 0x10, 0, 0], 8).unwrap();
        assert_eq!(out, [255, 255, 255, 255, 1, 0, 0, 0]);
    }

    #[test]
    fn partial_chunks_end_in_zeros_and_short_ones_are_errors() {
        let mut p = plain(2, 2, 4);
        assert!(run(&p, &[1, 2, 3, 4], 8).is_err());
        p.partial = true;
        assert_eq!(run(&p, &[1, 2, 3, 4], 8).unwrap(), [1, 2, 3, 4, 0, 0, 0, 0]);
        p.order = Order::Big;
        p.member_offset = 0;
        p.element_bytes = 4;
        assert_eq!(run(&p, &[1, 2, 3, 4], 8).unwrap(), [2, 1, 0, 0]);
        p.element_bytes = 0;
        assert_eq!(run(&p, &[1, 2, 3, 4], 8).unwrap(), [1, 2, 3, 4]);
        assert!(run(&plain(2, 2, 4), &[0; 8], 7).is_err());
    }
}
