//! Workers come, live and go.

use contract::{
    Failure, FailureClass, GpuClass, Incarnation, JobId, Refusal, Refused, StopCause, WorkerId, Workload,
    lease::{Goodbye, Heartbeat, HeartbeatAnswer, Hello, RunReport, Verdict, Welcome},
};

use super::{Answer, Command, Core, Rules, foresight::moved_limit, job::Phase, view, workers::Greeting};

impl Core {
    /// Takes a worker in. Whatever an earlier life of its process ran is lost.
    pub(super) fn hello(&mut self, hello: Hello) {
        let answer = match self.welcome(hello) {
            Ok(welcome) => Answer::Welcome(welcome),
            Err(refused) => Answer::Refused(refused),
        };
        self.desk.commands.push(Command::Answer(answer));
    }

    fn welcome(&mut self, hello: Hello) -> Result<Welcome, Refused> {
        let rules = &self.desk.rules;
        let invalid = |message: String| Err(Refused::new(Refusal::Invalid, message));
        if !rules.workloads.contains_key(&hello.workload) {
            let known: Vec<&str> = rules.workloads.keys().map(Workload::as_str).collect();
            let known = known.join(", ");
            return invalid(format!("workload {} is not known; the workloads are {known}", hello.workload));
        }
        if !rules.prices.contains_key(&hello.gpu) {
            let known: Vec<&str> = rules.prices.keys().map(GpuClass::as_str).collect();
            let known = known.join(", ");
            return invalid(format!(
                "GPU class {} has no price; the classes in [gpu] are {known}",
                hello.gpu
            ));
        }
        let (worker, incarnation) = (hello.worker.clone(), hello.incarnation);
        match self.desk.workers.greet(hello, self.desk.now) {
            Greeting::Known => {}
            Greeting::Replaces(before) => self.lose(&worker, before),
            Greeting::Replaced(by) => {
                let message = format!(
                    "worker {worker} is another process by now ({}); this one ({}) has to stop. Two machines need two \
                     worker ids",
                    by.0, incarnation.0
                );
                return Err(Refused::new(Refusal::Conflict, message));
            }
        }
        self.desk.count_slots();
        self.desk.commands.push(Command::SaveWorker(worker.clone()));
        let Rules { heartbeat, lease, .. } = self.desk.rules;
        Ok(Welcome { heartbeat, lease, draining: self.desk.drains(&worker) })
    }

    /// Ends the leases of a process that is no more.
    fn lose(&mut self, worker: &WorkerId, incarnation: Incarnation) {
        let held: Vec<JobId> = self.desk.index.held_by(worker).cloned().collect();
        for job_id in held {
            let Some(job) = self.jobs.get_mut(&job_id) else { continue };
            let Phase::Running(lease) = &job.phase else { continue };
            if lease.incarnation == incarnation {
                let heard_at = lease.heard_at;
                let failure = Failure::new(FailureClass::Lost, format!("{worker} was started again"));
                self.desk.fail(job, failure, heard_at);
            }
        }
    }

    /// Lets a worker go. What it still holds ends with its own reports, which come by another queue, or runs out.
    pub(super) fn goodbye(&mut self, goodbye: &Goodbye) {
        if self.desk.workers.part(&goodbye.worker, goodbye.incarnation) {
            self.desk.count_slots();
            let id = goodbye.worker.clone();
            let is_kept = self.desk.workers.get(&id).is_some();
            let command = if is_kept { Command::SaveWorker(id) } else { Command::ForgetWorker(id) };
            self.desk.commands.push(command);
        }
        self.desk.commands.push(Command::Answer(Answer::Done));
    }

    /// Renews the leases of what a worker runs, and says what is to stop.
    pub(super) fn heartbeat(&mut self, heartbeat: Heartbeat) {
        let Heartbeat { worker, incarnation, runs } = heartbeat;
        let was_live = self.desk.workers.get(&worker).is_some_and(|worker| self.desk.is_live(worker));
        let known = self.desk.workers.heard(&worker, incarnation, self.desk.now);
        if known && !was_live {
            self.desk.count_slots();
        }
        let mut limits = Vec::new();
        let verdicts = runs.into_iter().map(|run| {
            let job_id = run.job_id.clone();
            let verdict = self.renew(&worker, incarnation, run);
            if verdict == Verdict::Continue {
                limits.extend(self.jobs.get(&job_id).and_then(moved_limit));
            }
            verdict
        });
        let verdicts = verdicts.collect();
        let draining = self.desk.drains(&worker);
        let answer = HeartbeatAnswer { known, runs: verdicts, limits, draining };
        self.desk.commands.push(Command::Answer(Answer::Heartbeat(answer)));
    }

    fn renew(&mut self, worker: &WorkerId, incarnation: Incarnation, run: RunReport) -> Verdict {
        let now = self.desk.now;
        let superseded = Verdict::Stop { cause: StopCause::Superseded };
        let Some(job) = self.jobs.get_mut(&run.job_id) else { return superseded };
        let Some(lease) = job.lease_of(run.attempt, worker, incarnation) else { return superseded };
        lease.heard_at = now;
        let is_news = !std::mem::replace(&mut lease.confirmed, true);
        let verdict = match lease.stop(now) {
            None => Verdict::Continue,
            Some((cause, _)) => Verdict::Stop { cause },
        };
        job.note_micro_batches(&run.progress);
        if let Some(attempt) = job.attempts.last_mut() {
            let before = std::mem::replace(&mut attempt.progress, run.progress);
            self.desk.foresee(job, &before);
        }
        if is_news {
            self.desk.save(job);
        } else {
            self.desk.unsaved.insert(run.job_id);
        }
        verdict
    }

    /// Answers who is there.
    pub(super) fn list_workers(&mut self) {
        let list = view::workers(&self.desk);
        self.desk.commands.push(Command::Answer(Answer::Workers(list)));
    }
}
