//! One cell of the matrix: an operation, one of its calls, and what becomes of it.

use tokio::time::{Duration, Instant, timeout};

use crate::outages::answer::Answer;
use crate::outages::fault::{FAULTS, Fault};
use crate::outages::instance::Instance;
use crate::outages::invariants::{check_log, ensure, expect};
use crate::outages::operation::{OPERATIONS, OneCall, Operation, Setting};
use crate::outages::place::Place;
use crate::outages::proxy::{Call, Loss, Plan, Proxy, Times};
use crate::outages::world::World;

/// Whatever is waited for comes sooner.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Cell {
    operation: &'static Operation,
    trouble: Trouble,
}

/// What happens to the operation.
#[derive(Clone, Copy)]
enum Trouble {
    /// Nothing: it makes the calls that are listed.
    None,
    /// A call goes wrong, or each of them.
    Fault { call: Option<&'static OneCall>, name: &'static str, fault: Fault, times: Times },
    /// The process wakes up from a pause, in which its connections were lost.
    Woken { name: &'static str, loss: Loss },
    /// The process is killed before the engine has heard of a call, or after it has answered.
    Kill { call: &'static OneCall, name: &'static str, at: Fault },
}

/// What the client saw.
pub(crate) struct Seen {
    /// Attempts that were spoiled.
    pub(crate) spoiled: usize,
    /// The answers while the fault lasted, and how long they took.
    pub(crate) meanwhile: String,
    /// The answer to the same request when it was over, if it was sent again.
    pub(crate) then: String,
}

/// Every cell.
pub(crate) fn cells() -> Vec<Cell> {
    OPERATIONS.iter().flat_map(of_operation).collect()
}

fn of_operation(operation: &'static Operation) -> impl Iterator<Item = Cell> {
    // Each call in time, but only just: together they stay within the function's life.
    let slow = Trouble::Fault { call: None, name: "slow drip", fault: Fault::Drip, times: Times::Twice };
    let woken = [("connections closed", Loss::Closed), ("connections dead", Loss::Silent)];
    let woken = woken.map(|(name, loss)| Trouble::Woken { name, loss });
    let of_calls = operation.calls.iter().flat_map(of_call);
    [Trouble::None, slow].into_iter().chain(woken).chain(of_calls).map(move |trouble| Cell { operation, trouble })
}

fn of_call(call: &'static OneCall) -> impl Iterator<Item = Trouble> {
    let possible = FAULTS.into_iter().filter(|(_, fault)| fault.happens_to(call.operation));
    let faults = possible.flat_map(move |(name, fault)| {
        [Times::Once, Times::ForEver].map(|times| Trouble::Fault { call: Some(call), name, fault, times })
    });
    let kills = [("killed before", Fault::HeldBefore), ("killed after", Fault::HeldAfter)];
    faults.chain(kills.map(|(name, at)| Trouble::Kill { call, name, at }))
}

impl Cell {
    /// Operation, call, fault, how often.
    pub(crate) fn name(&self) -> [String; 4] {
        let (call, fault, times) = match self.trouble {
            Trouble::None => (None, "none", ""),
            Trouble::Fault { call, name, times: Times::Once, .. } => (call, name, "once"),
            Trouble::Fault { call, name, times: Times::Twice, .. } => (call, name, "twice"),
            Trouble::Fault { call, name, times: Times::ForEver, .. } => (call, name, "for ever"),
            Trouble::Woken { name, .. } => (None, name, "once"),
            Trouble::Kill { call, name, .. } => (Some(call), name, "once"),
        };
        let call = call.map_or_else(|| "all".to_owned(), OneCall::to_string);
        [self.operation.name, &call, fault, times].map(str::to_owned)
    }

    /// Carries the cell out.
    ///
    /// # Errors
    ///
    /// What should not have been.
    pub(crate) async fn run(&self, place: &Place, number: usize) -> Result<Seen, String> {
        let (proxy, log) = (place.proxy().await, place.log(&number.to_string()));
        let mut instance = place.start(self.operation, &proxy, &log).await;
        if let Trouble::Woken { loss, .. } = self.trouble {
            let answer = self.send(&proxy, &mut instance, &place.ground.world(self.operation).await).await?;
            expect(&answer, self.operation.answer, "before the pause")?;
            proxy.lose(loss);
        }
        let world = place.ground.world(self.operation).await;
        let begun = Instant::now();
        let answers = self.in_trouble(&proxy, &mut instance, &world).await?;
        let meanwhile = told(&answers, begun.elapsed());
        proxy.heal().await;
        if let Trouble::Kill { .. } = self.trouble {
            instance = place.start(self.operation, &proxy, &log).await;
        }
        let mut seen = Seen { spoiled: proxy.spoiled(), meanwhile, then: String::new() };
        let mut last = answers.into_iter().next_back();
        if !last.as_ref().is_some_and(|last| last.is(self.operation.answer)) {
            tokio::time::sleep(last.as_ref().and_then(Answer::wait).unwrap_or_default()).await;
            let again = self.send(&proxy, &mut instance, &world).await?;
            expect(&again, self.operation.answer, "afterwards")?;
            seen.then = again.status().to_string();
            last = Some(again);
        }
        place.check(self.operation, last.as_ref().ok_or("no answer")?, &world).await?;
        check_log(&log, &world)?;
        Ok(seen)
    }

    /// The answers in the middle of it; none from a process that was killed.
    async fn in_trouble(&self, proxy: &Proxy, instance: &mut Instance, world: &World) -> Result<Vec<Answer>, String> {
        match self.trouble {
            Trouble::None => {
                let answer = self.send(proxy, instance, world).await?;
                self.check_calls(proxy)?;
                expect(&answer, self.operation.answer, "without a fault")?;
                Ok(vec![answer])
            }
            Trouble::Fault { call, fault, times, .. } => {
                proxy.plan(Plan { call: call.map(OneCall::place), fault, times });
                let answer = self.send(proxy, instance, world).await?;
                ensure(proxy.spoiled() > 0, || "the call never came".to_owned())?;
                self.check_answer(&answer)?;
                let comes_back = times == Times::ForEver && !answer.is(self.operation.answer);
                if !comes_back || self.operation.function == "Login" {
                    // Attempts to sign in are counted, and those that were counted and not answered are failures, too.
                    return Ok(vec![answer]);
                }
                let again = self.send(proxy, instance, world).await?;
                ensure(again.is_unavailable() || again.is(self.operation.answer), || {
                    format!("again: {}", again.told())
                })?;
                Ok(vec![answer, again])
            }
            Trouble::Woken { loss, .. } => {
                let answer = self.send(proxy, instance, world).await?;
                // Each attempt may meet another dead one, and there are no more attempts than connections.
                let is_tolerable = loss == Loss::Silent && answer.is_unavailable();
                ensure(is_tolerable || answer.is(self.operation.answer), || format!("woken: {}", answer.told()))?;
                Ok(vec![answer])
            }
            Trouble::Kill { call, at, .. } => {
                proxy.plan(Plan { call: Some(call.place()), fault: at, times: Times::ForEver });
                proxy.begin();
                instance.send((self.operation.event)(world));
                timeout(PATIENCE, proxy.held()).await.map_err(|_| "the call never came")?;
                instance.kill();
                Ok(Vec::new())
            }
        }
    }

    /// That the operation makes the calls that are listed, and no others.
    fn check_calls(&self, proxy: &Proxy) -> Result<(), String> {
        let mut listed: Vec<Call> = self.operation.calls.iter().map(OneCall::place).collect();
        listed.sort();
        let made = proxy.calls();
        ensure(made == listed, || format!("it made the calls {made:?}, listed are {listed:?}"))
    }

    /// That a fault is a 503 or nothing that the client sees.
    fn check_answer(&self, answer: &Answer) -> Result<(), String> {
        let Trouble::Fault { call, fault, times, .. } = self.trouble else { return Ok(()) };
        let is_needed = call.is_none_or(|call| call.is_needed);
        let is_usual = answer.is(self.operation.answer);
        // A count that is begun anew takes its own repetition for another's attempt, which waits a second.
        let is_put_off = self.operation.setting == Setting::OldFailures && answer.wait().is_some();
        let allowed = match times {
            Times::Once if fault.is_hidden() => is_usual || is_put_off,
            Times::Once | Times::Twice => is_usual || is_put_off || answer.is_unavailable(),
            Times::ForEver if is_needed => answer.is_unavailable(),
            Times::ForEver => is_usual,
        };
        ensure(allowed, || format!("in the fault: {}", answer.told()))
    }

    async fn send(&self, proxy: &Proxy, instance: &mut Instance, world: &World) -> Result<Answer, String> {
        proxy.begin();
        Answer::read(instance.invoke((self.operation.event)(world)).await?)
    }
}

fn told(answers: &[Answer], took: Duration) -> String {
    let statuses: Vec<String> = answers.iter().map(|answer| answer.status().to_string()).collect();
    if statuses.is_empty() {
        "killed".to_owned()
    } else {
        format!("{} in {:.2} s", statuses.join(", "), took.as_secs_f64())
    }
}

impl OneCall {
    fn place(&self) -> Call {
        (self.operation.to_owned(), self.nth)
    }
}

impl std::fmt::Display for OneCall {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.operation, self.nth)
    }
}
