//! Scratch.
use pw_reference::Reference;
use std::collections::BTreeMap;
use std::time::Instant;
fn main() {
    let host = Reference::of(pw_host::Metering::None).unwrap();
    let n: u32 = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(20000);
    let seed: u64 = std::env::args().nth(2).and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut finds: BTreeMap<String, (usize, u32, String)> = BTreeMap::new();
    let mut reached = pw_fuzz::coverage::Reached::default();
    let mut calls = 0;
    let t = Instant::now();
    for i in 0..n {
        let mut rng = fastrand::Rng::with_seed(seed * 1_000_003 + u64::from(i));
        let mut bytes = vec![0u8; rng.usize(100..700)];
        rng.fill(&mut bytes);
        let s = pw_fuzz::generate::scenario(&bytes);
        let ran = pw_fuzz::drive::run(&host, &s).unwrap();
        calls += ran.coverage.calls;
        reached.add(&ran.coverage);
        for f in ran.findings {
            let e = finds.entry(f.about.clone()).or_insert((0, i, f.message.clone()));
            e.0 += 1;
        }
    }
    println!("per input {:?} calls {}", t.elapsed() / n, calls as f64 / n as f64);
    let p = reached.promises();
    println!("promises {}/{} triples {}", p.iter().filter(|p| p.1).count(), p.len(), reached.triples());
    for q in p.iter().filter(|p| !p.1) {
        println!("   not {}", q.0);
    }
    for (about, (count, first, message)) in &finds {
        println!("{count} x first {first}: {about}: {message}");
    }
    if let Some(i) = std::env::args().nth(3) {
        let i: u32 = i.parse().unwrap();
        let mut rng = fastrand::Rng::with_seed(seed * 1_000_003 + u64::from(i));
        let mut bytes = vec![0u8; rng.usize(100..700)];
        rng.fill(&mut bytes);
        let s = pw_fuzz::generate::scenario(&bytes);
        for p in &s.plugins {
            println!(
                "{} vm {} limits {:?} failure {:?} bg {} alloc {:?}",
                p.name,
                p.vm_id,
                p.limits,
                p.failure,
                p.background,
                match &p.guest {
                    pw_cases::scenario::Guest::Probe(s) =>
                        (s.allocation, s.allocators.clone(), s.without.clone(), s.version),
                    _ => panic!(),
                }
            );
        }
        for (i, st) in s.steps.iter().enumerate() {
            println!("step {}: {st:?}", i + 1);
        }
        let t = Reference::new().unwrap().run(&s).map(|t| pw_cases::report::decode(t, &s));
        match t {
            Ok(t) => println!("{t}"),
            Err(e) => println!("{e}"),
        }
        for f in pw_fuzz::drive::run(&host, &s).unwrap().findings {
            println!("{f:#?}");
        }
    }
}
