//! The campaign of attacks: workers side by side, each its own process, which may crash. A worker writes each input to disk before it
//! runs it, so that no input is lost.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::act::attack;

const USAGE: &str = "usage: attack [--for SECONDS] [--inputs N] [--jobs N] [--seed N] [--most FINDS] [--out FOLDER] [--plant BUG]
       attack FILE ...

Attacks the reference host with generated plugins, clients, servers and operators, or runs the inputs in files. Inputs that
show something are kept in FOLDER (fuzz/artifacts/attack).";

/// How long a worker may take for one input, in seconds.
const HANG: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(20);
/// After how many inputs a worker is replaced, so that one input's memory is not another's.
const LIFE: u64 = 20_000;
/// The default of `--most`: a campaign ends after this number of finds.
const FINDS: usize = 10;
const SIZES: std::ops::Range<usize> = 100..1500;

struct Options {
    time: Duration,
    inputs: u64,
    jobs: u64,
    seed: u64,
    most: usize,
    out: PathBuf,
    plant: Option<String>,
    worker: Option<PathBuf>,
    files: Vec<PathBuf>,
}

/// The program's `main`: exit code 1 if something was found, 2 if what it was asked for cannot be done.
pub fn campaign() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(run) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn options(mut given: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        time: Duration::from_secs(60),
        inputs: u64::MAX,
        jobs: 1,
        seed: 1,
        most: FINDS,
        out: PathBuf::from("fuzz/artifacts/attack"),
        plant: None,
        worker: None,
        files: Vec::new(),
    };
    while let Some(word) = given.next() {
        if !word.starts_with('-') {
            options.files.push(word.into());
            continue;
        }
        if word == "--help" || word == "-h" {
            return Err(USAGE.to_owned());
        }
        let value = given.next().ok_or_else(|| format!("`{word}` needs a value\n\n{USAGE}"))?;
        let number = || value.parse().map_err(|_| format!("`{word} {value}`: not a number"));
        match &word[..] {
            "--for" => options.time = Duration::from_secs(number()?),
            "--inputs" => options.inputs = number()?,
            "--jobs" => options.jobs = number()?.clamp(1, 64),
            "--seed" => options.seed = number()?,
            "--most" => options.most = number()? as usize,
            "--out" => options.out = value.into(),
            "--plant" => options.plant = Some(value),
            "--worker" => options.worker = Some(value.into()),
            _ => return Err(format!("there is no option `{word}`\n\n{USAGE}")),
        }
    }
    Ok(options)
}

fn run(options: Options) -> Result<usize, String> {
    plant(options.plant.as_deref())?;
    if let Some(file) = &options.worker {
        return work(file, options.seed, options.inputs.min(LIFE));
    }
    if !options.files.is_empty() {
        for file in &options.files {
            let bytes = fs::read(file).map_err(|error| format!("failed to read {}: {error}", file.display()))?;
            attack(&bytes);
        }
        return Ok(0);
    }
    fs::create_dir_all(&options.out).map_err(|error| format!("failed to make {}: {error}", options.out.display()))?;
    let begun = Instant::now();
    let mut jobs = Vec::new();
    for number in 0..options.jobs {
        jobs.push(Job::start(&options, number, 0)?);
    }
    let (mut done, mut finds) = (0, 0);
    let mut shown = begun;
    while !jobs.is_empty() {
        thread::sleep(POLL);
        let mut next = Vec::new();
        for mut job in jobs {
            let Some(ended) = job.ended()? else {
                if begun.elapsed() >= options.time || finds >= options.most {
                    done += job.stop();
                } else {
                    next.push(job);
                }
                continue;
            };
            done += job.count();
            if let Some(how) = ended {
                finds += 1;
                let size = fs::metadata(&job.input).map_or(0, |file| file.len());
                let kept = options.out.join(format!("find-{}-{finds}", options.seed));
                fs::copy(&job.input, &kept).map_err(|error| format!("failed to write {}: {error}", kept.display()))?;
                let said = fs::read_to_string(&job.errors).unwrap_or_default();
                let said: String = said.lines().take(8).map(|line| format!("  {line}\n")).collect();
                println!("find: {how}, by an input of {size} bytes: {}\n{said}", kept.display());
            }
            if begun.elapsed() < options.time && finds < options.most && done < options.inputs {
                next.push(Job::start(&options, job.number, job.turn + 1)?);
            }
        }
        jobs = next;
        if shown.elapsed() >= Duration::from_secs(10) {
            shown = Instant::now();
            let all = done + jobs.iter().map(Job::count).sum::<u64>();
            eprintln!("{} s: {all} inputs, {finds} finds", begun.elapsed().as_secs());
        }
    }
    println!(
        "{done} attacks in {} s: {}",
        begun.elapsed().as_secs(),
        match finds {
            0 => "nothing found".to_owned(),
            finds => format!("{finds} finds"),
        }
    );
    Ok(finds)
}

/// A worker's life: inputs of one seed, one after the other.
fn work(file: &Path, seed: u64, inputs: u64) -> Result<usize, String> {
    for number in 0..inputs {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(LIFE).wrapping_add(number));
        let mut bytes = vec![0; random.usize(SIZES)];
        random.fill(&mut bytes);
        fs::write(file, &bytes).map_err(|error| format!("failed to write {}: {error}", file.display()))?;
        // A proxy's threads have stacks of this size.
        let attacked = thread::spawn(move || attack(&bytes)).join();
        if attacked.is_err() {
            return Ok(1);
        }
        let count = file.with_extension("count");
        fs::write(&count, (number + 1).to_string())
            .map_err(|error| format!("failed to write {}: {error}", count.display()))?;
    }
    Ok(0)
}

/// A worker, and where it leaves what it does.
struct Job {
    number: u64,
    turn: u64,
    child: Child,
    input: PathBuf,
    errors: PathBuf,
}

impl Job {
    fn start(options: &Options, number: u64, turn: u64) -> Result<Job, String> {
        let input = options.out.join(format!("current-{}-{number}", options.seed));
        let errors = input.with_extension("stderr");
        let failed = |error: std::io::Error| format!("failed to start a worker: {error}");
        let _ = fs::remove_file(input.with_extension("count"));
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        let seed = options.seed.wrapping_mul(1000).wrapping_add(options.jobs * turn + number);
        command.arg("--worker").arg(&input).args(["--seed", &seed.to_string()]);
        command.args(["--inputs", &options.inputs.to_string()]);
        command.args(options.plant.iter().flat_map(|bug| ["--plant", bug]));
        command.stderr(File::create(&errors).map_err(failed)?).stdout(Stdio::null()).stdin(Stdio::null());
        Ok(Job { number, turn, child: command.spawn().map_err(failed)?, input, errors })
    }

    /// None while it runs; then how it ended, unless well.
    fn ended(&mut self) -> Result<Option<Option<String>>, String> {
        let status = self.child.try_wait().map_err(|error| format!("failed to wait for a worker: {error}"))?;
        if let Some(status) = status {
            return match status.code() {
                Some(0) => Ok(Some(None)),
                Some(2) => Err(fs::read_to_string(&self.errors).unwrap_or_default()),
                _ => Ok(Some(Some(status.to_string()))),
            };
        }
        let begun = fs::metadata(&self.input).and_then(|file| file.modified());
        let takes = begun.ok().and_then(|begun| SystemTime::now().duration_since(begun).ok());
        if takes.is_some_and(|takes| takes > HANG) {
            self.stop();
            return Ok(Some(Some(format!("no end after {} s", HANG.as_secs()))));
        }
        Ok(None)
    }

    /// How many inputs it has run.
    fn count(&self) -> u64 {
        let text = fs::read_to_string(self.input.with_extension("count")).unwrap_or_default();
        text.parse().unwrap_or(0)
    }

    fn stop(&mut self) -> u64 {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.count()
    }
}

#[cfg(feature = "planted")]
fn plant(bug: Option<&str>) -> Result<(), String> {
    use pw_host::Planted;
    let Some(name) = bug else { return Ok(()) };
    let found = Planted::ALL.iter().find(|bug| format!("{bug:?}") == name);
    let bug = found.ok_or_else(|| format!("there is no bug `{name}`; there are {:?}", Planted::ALL))?;
    pw_host::plant(Some(*bug));
    Ok(())
}

#[cfg(not(feature = "planted"))]
fn plant(bug: Option<&str>) -> Result<(), String> {
    let how = "cargo run --release -p pw-fuzz-targets --features planted --bin attack -- --plant BUG";
    bug.map_or(Ok(()), |_| Err(format!("no bugs can be planted in this build: {how}")))
}
