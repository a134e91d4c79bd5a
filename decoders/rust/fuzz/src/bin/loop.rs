//! The targets under plain mutations of their seeds, where libFuzzer cannot run.
//!
//!     cargo run --release --no-default-features --bin loop -- [--count N] [--seed N] [--corpus]
//!         [--trace] [--input FILE] [TARGET...]
//!
//! Every finding is written to `findings/`, by the target's name, and told; the last line is
//! `N passed, N failed`. `--input` runs one input; `--trace` writes each input before it is run, for
//! those that end the process.

use fuse_fuzz::mutate::{mutate, Random};
use fuse_fuzz::{seeds, target, targets, Target};
use std::cell::RefCell;
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Findings of one target that are kept.
const KEPT: usize = 5;
/// Seconds without a finished execution after which the program ends.
const HUNG_SECONDS: u64 = 30;

/// Executions finished by all targets.
static DONE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Options {
    count: usize,
    seed: u64,
    corpus: bool,
    trace: bool,
    input: Option<String>,
    targets: Vec<Target>,
}

fn options() -> Options {
    let mut options = Options {
        count: 20_000,
        seed: 1,
        corpus: false,
        trace: false,
        input: None,
        targets: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| usage(&word));
        match word.as_str() {
            "--count" => options.count = value().parse().unwrap_or_else(|_| usage(&word)),
            "--seed" => options.seed = value().parse().unwrap_or_else(|_| usage(&word)),
            "--input" => options.input = Some(value()),
            "--corpus" => options.corpus = true,
            "--trace" => options.trace = true,
            name => match targets::all().iter().find(|t| t.name == name) {
                Some(_) => options.targets.push(target(name)),
                None => usage(name),
            },
        }
    }
    if options.targets.is_empty() {
        options.targets = targets::all();
    }
    options
}

fn usage(word: &str) -> ! {
    eprintln!("not understood: {word}\ntargets:");
    targets::all()
        .iter()
        .for_each(|t| eprintln!("  {}", t.name));
    std::process::exit(2);
}

fn main() {
    let options = options();
    set_hook(Box::new(|info| {
        MESSAGE.with(|m| *m.borrow_mut() = info.to_string().replace('\n', " "));
    }));
    std::thread::spawn(watch);
    let (mut passed, mut failed) = (0, 0);
    for target in &options.targets {
        let started = Instant::now();
        let (executions, findings) = match &options.input {
            Some(path) => {
                let data = std::fs::read(path).expect("the input can be read");
                (1, usize::from(!survives(target, &data)))
            }
            None => run(target, &options),
        };
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{} {}: {executions} executions in {seconds:.1} s, {findings} findings",
            if findings == 0 { "ok  " } else { "FAIL" },
            target.name
        );
        if findings == 0 {
            passed += 1;
        } else {
            failed += 1;
        }
    }
    println!("{passed} passed, {failed} failed");
    std::process::exit(i32::from(failed > 0));
}

/// Ends the program when an execution does not end.
fn watch() {
    let mut before = usize::MAX;
    loop {
        let done = DONE.load(Relaxed);
        if done == before {
            eprintln!("FAIL: no execution ended for {HUNG_SECONDS} s, after {done}");
            std::process::exit(1);
        }
        before = done;
        std::thread::sleep(Duration::from_secs(HUNG_SECONDS));
    }
}

/// The seeds as they are, then mutations of them: executions and findings.
fn run(target: &Target, options: &Options) -> (usize, usize) {
    let seeds = seeds::of(target.name, options.corpus);
    let mut random = Random::new(options.seed);
    let mut findings = 0;
    for i in 0..options.count {
        let mut data = seeds[if i < seeds.len() {
            i
        } else {
            random.below(seeds.len())
        }]
        .clone();
        if i >= seeds.len() {
            let other = &seeds[random.below(seeds.len())];
            mutate(&mut random, &mut data, other);
        }
        if options.trace {
            keep(target, "traced", &data);
        }
        if survives(target, &data) {
            continue;
        }
        findings += 1;
        let path = keep(target, &findings.to_string(), &data);
        MESSAGE.with(|m| println!("  ! {path}: {}", m.borrow()));
        if findings == KEPT {
            return (i + 1, findings);
        }
    }
    (options.count, findings)
}

fn survives(target: &Target, data: &[u8]) -> bool {
    let survived = catch_unwind(AssertUnwindSafe(|| target.execute(data))).is_ok();
    DONE.fetch_add(1, Relaxed);
    survived
}

fn keep(target: &Target, suffix: &str, data: &[u8]) -> String {
    let folder = Path::new("findings");
    let path = folder.join(format!("{}-{suffix}", target.name));
    if let Err(e) = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, data)) {
        eprintln!("{}: {e}", path.display());
    }
    path.display().to_string()
}
