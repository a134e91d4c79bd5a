//! What an execution may cost: an allocator that counts, and a clock.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Counts bytes on their way to the system's allocator.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

/// Past this the allocator refuses, so that a runaway ends before the machine does.
const REFUSED_BYTES: usize = 1 << 30;

fn taken(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(live, Relaxed);
    LARGEST.fetch_max(bytes, Relaxed);
}

// SAFETY: every call is passed on as it came, or refused with null as the trait allows.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > REFUSED_BYTES {
            LARGEST.fetch_max(layout.size(), Relaxed);
            return std::ptr::null_mut();
        }
        let at = System.alloc(layout);
        if !at.is_null() {
            taken(layout.size());
        }
        at
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        System.dealloc(at, layout);
    }
}

/// What one execution may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes held at once, beyond what was held before.
    pub peak_bytes: usize,
    pub time: Duration,
}

/// Runs `body` and panics when it used more than `limits`.
pub fn guarded(limits: Limits, body: impl FnOnce()) {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    LARGEST.store(0, Relaxed);
    let started = Instant::now();
    body();
    let spent = started.elapsed();
    let peak = PEAK.load(Relaxed).saturating_sub(before);
    let largest = LARGEST.load(Relaxed);
    assert!(
        peak <= limits.peak_bytes && largest <= limits.peak_bytes,
        "{peak} bytes held at once, {largest} asked for in one piece, {} allowed",
        limits.peak_bytes
    );
    // Sanitizers and a busy machine make everything several times slower.
    assert!(
        spent <= limits.time,
        "took {spent:?}, {:?} allowed",
        limits.time
    );
}
