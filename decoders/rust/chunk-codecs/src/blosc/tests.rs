//! Frames made here and split frames made by hand, read back; damage of all kinds.

use super::*;
use crate::random::Random;
use crate::unblosc::decode;

const FILTERS: [Filter; 3] = [Filter::None, Filter::Shuffle, Filter::BitShuffle];

fn settings(type_size: usize, filter: Filter, block_size: usize) -> Settings {
    Settings {
        type_size,
        filter,
        block_size,
        acceleration: 1,
    }
}

#[test]
fn frames_come_back_and_never_outgrow_their_bound() {
    let mut random = Random::new(10);
    for type_size in [0, 1, 2, 3, 4, 8, 12, 255, 256] {
        for filter in FILTERS {
            for length in [0, 1, 127, 128, 129, 1000, 8191] {
                for block in [0, 1000] {
                    for noisy in [false, true] {
                        let src = match noisy {
                            true => random.bytes(length),
                            false => random.mixture(length),
                        };
                        let mut frame = vec![0; bound(length)];
                        let how = settings(type_size, filter, block);
                        let n = encode(&src, &mut frame, &how).expect("encodes");
                        let mut back = vec![0; length];
                        assert_eq!(decode(&frame[..n], &mut back), Ok(length));
                        assert!(back == src, "{how:?} {length}");
                    }
                }
            }
        }
    }
}

/// A frame as c-blosc makes it for codecs it splits: one stream per byte of the type.
#[test]
fn split_blocks_are_read() {
    let mut random = Random::new(11);
    let (size, block, length) = (4usize, 2048usize, 5000usize);
    for filter in FILTERS {
        let src = random.mixture(length);
        let flag = [0, SHUFFLE, BITSHUFFLE][filter as usize];
        let mut frame = vec![FORMAT_VERSION, LZ4_VERSION, LZ4 << 5 | flag, size as u8];
        for n in [length, block, 0] {
            frame.extend((n as u32).to_le_bytes());
        }
        frame.extend([0; 12]);
        let mut table = lz4::Table::default();
        let search = lz4::Search {
            acceleration: 1,
            long: false,
        };
        for (i, raw) in src.chunks(block).enumerate() {
            let mut data = raw.to_vec();
            match filter {
                Filter::None => {}
                Filter::Shuffle => shuffle(size, raw, &mut data),
                Filter::BitShuffle => bitshuffle(size, raw, &mut data),
            }
            let start = frame.len();
            put32(&mut frame, HEADER + 4 * i, start);
            let part = if raw.len() == block {
                block / size
            } else {
                raw.len()
            };
            for piece in data.chunks(part) {
                let mut packed = vec![0; part + 64];
                match lz4::encode(piece, &mut packed, &mut table, search) {
                    Some(n) if n < part => {
                        frame.extend((n as u32).to_le_bytes());
                        frame.extend(&packed[..n]);
                    }
                    _ => {
                        frame.extend((part as u32).to_le_bytes());
                        frame.extend(piece);
                    }
                }
            }
        }
        let n = frame.len();
        put32(&mut frame, 12, n);
        let mut back = vec![0; length];
        assert_eq!(decode(&frame, &mut back), Ok(length));
        assert!(back == src);
    }
}

#[test]
fn damage_is_an_error_or_wrong_data_but_never_more() {
    let mut random = Random::new(12);
    let src = random.mixture(6000);
    for filter in FILTERS {
        let mut frame = vec![0; bound(src.len())];
        let n = encode(&src, &mut frame, &settings(2, filter, 1024)).expect("encodes");
        frame.truncate(n);
        for _ in 0..1500 {
            let mut bad = frame.clone();
            for _ in 0..1 + random.below(4) {
                let head = random.below(2) == 0;
                let at = random.below(if head { 64 } else { bad.len() });
                bad[at] = random.next() as u8;
            }
            bad.truncate(random.below(2 * bad.len()) + 1);
            let mut back = vec![0x5a; 7000 + 64];
            if let Ok(length) = decode(&bad, &mut back[..7000]) {
                assert!(length <= 7000);
            }
            assert!(back[7000..].iter().all(|&b| b == 0x5a));
        }
    }
}

#[test]
fn other_compressors_are_named() {
    let mut frame = vec![FORMAT_VERSION, 1, 4 << 5, 4];
    for n in [256u32, 256, 40] {
        frame.extend(n.to_le_bytes());
    }
    frame.resize(40, 0);
    let error = decode(&frame, &mut [0; 256]).unwrap_err();
    assert_eq!(error.kind, fuse_core::Kind::Unsupported);
    assert!(error.message.contains("zstd"));
}
