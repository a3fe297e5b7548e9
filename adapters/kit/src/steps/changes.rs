//! Changes of the operator's while streams run: the host gets another chain of plugins and replaces the old one, or keeps it.

use crate::job::Run;
use pw_cases::data::Data;

use crate::instance::HostError;
use crate::scenario;
use crate::stage::Stage;

impl Stage {
    /// Gives a plugin another configuration.
    pub(super) async fn reconfigure(&mut self, plugin: &str, configuration: &Data) -> Result<(), HostError> {
        let Some(at) = self.in_chain(plugin) else { return Ok(()) };
        let mut run = self.run.clone();
        let plugin = self.chain[at];
        run.plugins[plugin].settings.configuration = configuration.clone();
        self.change(run, self.chain.clone(), Some(plugin)).await
    }

    /// Puts a plugin on standby in the place of another.
    pub(super) async fn replace(&mut self, plugin: &str, by: &str) -> Result<(), HostError> {
        let standby = self.run.plugins.iter().position(|known| known.settings.name == by && known.settings.standby);
        let (Some(at), Some(standby)) = (self.in_chain(plugin), standby) else { return Ok(()) };
        let mut run = self.run.clone();
        // It is on standby no more.
        run.plugins[standby].settings.standby = false;
        let mut chain = self.chain.clone();
        chain[at] = standby;
        self.change(run, chain, Some(standby)).await
    }

    /// Takes a plugin out of the chain.
    pub(super) async fn take_out(&mut self, plugin: &str) -> Result<(), HostError> {
        let Some(at) = self.in_chain(plugin) else { return Ok(()) };
        let mut chain = self.chain.clone();
        chain.remove(at);
        self.change(self.run.clone(), chain, None).await
    }

    fn in_chain(&self, plugin: &str) -> Option<usize> {
        self.chain.iter().position(|at| self.run.plugins[*at].settings.name == plugin)
    }

    /// Gives the host another chain, in which the plugin `starts` starts. The host keeps the old one if it does not.
    async fn change(&mut self, run: Run, chain: Vec<usize>, starts: Option<usize>) -> Result<(), HostError> {
        if !scenario::has_streams_in_flight(&self.run) && self.traffic.has_open_clients() {
            let way_out = "add a later step for the stream, so that the host is given time to drain it";
            let context = format!("a stream has not ended, and its plugins are replaced: {way_out}");
            return Err(HostError::Adapter(context));
        }
        self.plugins.change();
        let given = self.instance.driver().change_chain(&run, &chain, starts);
        if self.await_verdict(given).await? {
            (self.run, self.chain) = (run, chain);
        } else {
            self.instance.driver().keep_chain();
            self.quiesce().await?;
            self.plugins.refuse(&mut self.window);
        }
        Ok(())
    }
}
