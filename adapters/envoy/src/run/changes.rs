//! The operator's changes while streams run: Envoy is told of a listener with another chain of plugins, puts it into the
//! place of the old one and drains that, or keeps it.

use crate::job::Run;
use pw_cases::data::Data;

use super::Stage;
use crate::config;
use crate::instance::Gone;

impl Stage {
    /// Gives a plugin another configuration.
    pub(super) async fn reconfigure(&mut self, plugin: &str, configuration: &Data) -> Result<(), Gone> {
        let Some(at) = self.in_chain(plugin) else { return Ok(()) };
        let mut run = self.run.clone();
        let plugin = self.chain[at];
        run.plugins[plugin].settings.configuration = configuration.clone();
        self.change(run, self.chain.clone(), Some(plugin)).await
    }

    /// Puts a plugin that stands by into the place of another.
    pub(super) async fn replace(&mut self, plugin: &str, by: &str) -> Result<(), Gone> {
        let standby = self.run.plugins.iter().position(|known| known.settings.name == by && known.settings.standby);
        let (Some(at), Some(standby)) = (self.in_chain(plugin), standby) else { return Ok(()) };
        let mut run = self.run.clone();
        // It can do that once.
        run.plugins[standby].settings.standby = false;
        let mut chain = self.chain.clone();
        chain[at] = standby;
        self.change(run, chain, Some(standby)).await
    }

    /// Takes a plugin out of the chain.
    pub(super) async fn take_out(&mut self, plugin: &str) -> Result<(), Gone> {
        let Some(at) = self.in_chain(plugin) else { return Ok(()) };
        let mut chain = self.chain.clone();
        chain.remove(at);
        self.change(self.run.clone(), chain, None).await
    }

    fn in_chain(&self, plugin: &str) -> Option<usize> {
        self.chain.iter().position(|at| self.run.plugins[*at].settings.name == plugin)
    }
}

impl Stage {
    /// Hands Envoy another listener, in whose chain perhaps a plugin begins. It keeps the old one if that does not start.
    async fn change(&mut self, run: Run, chain: Vec<usize>, begins: Option<usize>) -> Result<(), Gone> {
        if !config::has_streams_in_flight(&self.run) && self.clients.values().any(|client| !client.over) {
            let way_out = "let a later step be about it, so that Envoy is given time to drain";
            return Err(Gone::Broken(format!("a stream has not ended, and what it runs on is replaced: {way_out}")));
        }
        self.beginning.clear();
        self.complaints.clear();
        self.attribution.changes(&chain, begins);
        let listener = config::listener(&self.listener, self.instance.ports(), &run, &chain);
        if self.update(vec![listener]).await? {
            (self.run, self.chain) = (run, chain);
        } else {
            self.attribution.keeps();
            self.settle().await?;
            self.tell_refusal();
        }
        Ok(())
    }
}
