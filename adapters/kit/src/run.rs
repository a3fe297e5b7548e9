//! A scenario from its start to its end, in a process that may serve another one after it.

use crate::job::Run;
use pw_cases::scenario::Step;
use pw_cases::transcript::Event;

use crate::instance::{HostError, Instance};
use crate::link::Peer;
use crate::scenario;
use crate::stage::Stage;

/// The outcome of a scenario.
pub struct Outcome {
    /// What was seen.
    pub events: Vec<Event>,
    /// What can be used again.
    pub left: Left,
    /// At what the adapter failed, if it did.
    pub error: Option<String>,
}

/// What is left after steps.
pub enum Left {
    /// Nothing.
    Nothing,
    /// A process without plugins, which can serve another scenario.
    Instance(Box<Instance>),
    /// The scenario, to which steps may be added.
    Kept(Box<Kept>),
}

/// A scenario to which steps may be added.
pub struct Kept(Stage);

/// Runs a scenario in a process.
pub async fn run(instance: Instance, run: Run) -> Outcome {
    let steps = run.steps.clone();
    let mut stage = Stage::new(instance, run);
    stage.set_deadline(&steps);
    match start(&mut stage).await {
        Ok(true) => proceed(stage, &steps).await,
        Ok(false) => end(stage, Ok(())).await,
        Err(error) => end(stage, Err(error)).await,
    }
}

impl Kept {
    /// Whether the scenario is of the kind that [`scenario::is_streamed`] names.
    pub fn is_streamed(&self) -> bool {
        scenario::is_streamed(&self.0.run)
    }

    /// Does more steps.
    pub async fn more(self, steps: &[Step]) -> Outcome {
        let Kept(mut stage) = self;
        stage.set_deadline(steps);
        proceed(stage, steps).await
    }

    /// Ends the scenario. Returns the process if it can serve another one.
    pub async fn end(self) -> Option<Instance> {
        match end(self.0, Ok(())).await.left {
            Left::Instance(instance) => Some(*instance),
            Left::Nothing | Left::Kept(_) => None,
        }
    }
}

/// Starts the plugins. Returns whether the host accepted all.
async fn start(stage: &mut Stage) -> Result<bool, HostError> {
    for seen in stage.instance.take_early() {
        stage.see(seen);
    }
    if stage.plugins.is_rejected() {
        refuse(stage);
        return Ok(false);
    }
    if stage.plugins.has_background() {
        stage.quiesce().await?;
    }
    stage.plugins.start(&mut stage.window);
    let given = stage.instance.driver().start_chain(&stage.run, &stage.chain);
    let accepted = stage.await_verdict(given).await?;
    stage.quiesce().await?;
    if accepted {
        stage.end_window();
    } else {
        refuse(stage);
    }
    Ok(accepted)
}

/// Reports that the host has rejected the chain, and nothing else: whether the plugins before the rejected one have
/// started depends on timing.
fn refuse(stage: &mut Stage) {
    stage.window.take();
    stage.plugins.refuse(&mut stage.window);
    stage.end_window();
}

/// Does steps, and keeps the scenario if more may follow.
async fn proceed(mut stage: Stage, steps: &[Step]) -> Outcome {
    match play(&mut stage, steps).await {
        Ok(()) if stage.run.keep => {
            let events = std::mem::take(&mut stage.events);
            stage.traffic.forget();
            Outcome { events, left: Left::Kept(Box::new(Kept(stage))), error: None }
        }
        played => end(stage, played).await,
    }
}

async fn play(stage: &mut Stage, steps: &[Step]) -> Result<(), HostError> {
    for (index, step) in (0..).zip(steps) {
        stage.events.push(Event::Step { index });
        let before = stage.instance.writes();
        stage.act(step).await?;
        if !stage.run.keep {
            stage.quiesce().await?;
        } else if stage.instance.writes() > before || matches!(step, Step::Advance { .. }) {
            // A step that has written nothing has no consequences.
            stage.quiesce_fast().await?;
        }
        stage.end_window();
    }
    Ok(())
}

/// Ends a scenario, whose steps were done or have failed.
async fn end(mut stage: Stage, played: Result<(), HostError>) -> Outcome {
    let ended = match played {
        // Of what follows, only a crash is reported.
        Ok(()) => clear(&mut stage).await,
        Err(error) => Err(error),
    };
    let mut error = None;
    let mut crash = |how: String| {
        stage.window.push(Event::Died { how });
        stage.end_window();
        false
    };
    let is_reusable = match ended {
        Ok(is_reusable) => is_reusable,
        Err(HostError::Crashed(how)) => crash(how),
        Err(HostError::Hung) => crash("hung, and was killed".into()),
        Err(HostError::Adapter(context)) => {
            error = Some(format!("{context}{}", stage.instance.excerpt()));
            false
        }
    };
    let left = if is_reusable { Left::Instance(Box::new(stage.instance)) } else { Left::Nothing };
    Outcome { events: stage.events, left, error }
}

/// Leaves the process as it was before the scenario. Returns whether that is possible.
async fn clear(stage: &mut Stage) -> Result<bool, HostError> {
    let Some(given) = stage.instance.driver().remove_chain() else { return Ok(false) };
    stage.reset_pipes().await?;
    stage.instance.close(|peer| peer == Peer::Http);
    // What the plugins do now is not reported, so it is enough that they are gone.
    stage.await_verdict(given).await?;
    stage.await_vm_teardown().await?;
    if stage.run.hazard {
        stage.quiesce().await?;
    }
    stage.instance.close(|peer| matches!(peer, Peer::Upstream(_) | Peer::TcpUpstream(_) | Peer::Callee(_)));
    stage.window.take();
    Ok(!stage.plugins.has_vms())
}
