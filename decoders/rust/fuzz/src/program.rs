//! The program libFuzzer runs for a target.

/// The whole of a file in `fuzz_targets/`: its target is the one of its own name.
#[macro_export]
macro_rules! program {
    () => {
        static TARGET: std::sync::OnceLock<$crate::Target> = std::sync::OnceLock::new();
        libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            TARGET
                .get_or_init(|| $crate::target(env!("CARGO_BIN_NAME")))
                .execute(data);
        });
    };
}
