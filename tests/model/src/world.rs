//! All that a history happens to: clients, network, instances, table, time.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use auth_core::id::{SessionId, UserId};
use auth_core::journal::Revocation;
use auth_core::login::LoginName;
use auth_core::refresh_token::Nonce;
use auth_core::rotation::{Write, Written};
use auth_core::scope::{Roles, Scope};
use auth_core::session::{EARLIER_CHILDREN, End, EndCause, Session};
use auth_core::time::UnixTime;
use auth_core::user::{Status, User};
use auth_http::function::Function as _;
use auth_http::request::Request;
use auth_http::response::Response;
use serde_json::json;

use crate::access::{Access, Revocations};
use crate::answer;
use crate::digest::Names;
use crate::door::{Door, Said};
use crate::event::{Verdict, Violation, Who};
use crate::gate::{Gate, Operation, Reply};
use crate::reference::Reference;
use crate::rig::{ABSOLUTE, Rig};
use crate::step::{Asked, Change, Fate, Step};
use crate::story::{Story, describe, who};
use crate::table::Table;

/// When every history begins.
pub(crate) const START: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// How long the network holds a request or an answer, and an instance works on one: a request's life each.
const LIFE: u64 = 10_000;

/// How long traffic stops for a table that is restored, in seconds: more than a request's life.
const RESTORE: u32 = 11;

/// So many authorizers there are.
pub(crate) const DOORS: usize = 2;

/// How old what an authorizer decides by may be, in milliseconds.
const BOUND: u64 = 15_000;

/// So many requests of the owner's are under way at most: the children that a session keeps are one more.
const IN_FLIGHT: usize = 3;

pub(crate) const USER: UserId = UserId::from_bytes([1; 16]);
pub(crate) const SESSION: SessionId = SessionId::from_bytes([2; 16]);
const SCOPE: &str = "a b";
const LESS_SCOPE: &str = "a";
const MORE_SCOPE: &str = "a b c";

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cast {
    /// Clients of the owner's.
    pub clients: u8,
    /// Whether each keeps what it receives for itself: nothing is promised to them.
    pub private: bool,
}

/// Whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Owner(u8),
    Thief,
    Stranger,
}

impl Sender {
    const fn who(self) -> Who {
        match self {
            Self::Owner(_) => Who::Owner,
            Self::Thief => Who::Thief,
            Self::Stranger => Who::Stranger,
        }
    }
}

/// A request that was sent, or its answer on the way back.
#[derive(Clone)]
struct Message {
    id: usize,
    /// Since when it has been where it is.
    since: u64,
    sender: Sender,
    token: String,
    scope: Asked,
    /// Whether the network delivers it however late.
    immortal: bool,
}

/// A request that an instance works on.
struct Running<'a> {
    message: Message,
    /// Whether nothing has happened yet that it may be answered with a 503 for.
    undisturbed: bool,
    future: Pin<Box<dyn Future<Output = Response> + 'a>>,
}

/// A history under way.
pub struct World<'a, T> {
    rig: &'a Rig,
    cast: Cast,
    pub(crate) table: T,
    reference: Reference,
    user: User,
    now: u64,
    requests: Vec<Message>,
    running: BTreeMap<usize, Running<'a>>,
    answers: Vec<(Message, Verdict)>,
    /// What clients keep; all share the first unless they are private. Nothing, once they were told that it is over.
    storages: Vec<Option<String>>,
    awaited: Vec<(u8, usize)>,
    stolen: Vec<String>,
    backup: Option<(Session, User)>,
    /// Authorizers, once somebody has come to them.
    doors: Vec<Door>,
    minted: Vec<Access>,
    revocations: Revocations,
    next: usize,
    repeated: u8,
    /// What each running request was told by the table, as a digest.
    told: BTreeMap<usize, u64>,
    names: Names,
    story: Option<Story>,
}

impl<'a, T: Table> World<'a, T> {
    /// A login, and nothing since.
    pub fn new(rig: &'a Rig, cast: Cast, mut table: T, seed: u64, tell: bool) -> Self {
        rig.time.store(START.millis(), Ordering::Relaxed);
        rig.gate.reset();
        rig.entropy.restart(seed);
        let user = user();
        let session = session(rig);
        let token = rig.keys.seal(USER, SESSION, 0, &session.newest.nonce).to_string();
        let mut names = Names::default();
        names.learn(&token, 0);
        names.meet(&session);
        table.put_user(&user);
        table.put_session(&session);
        let mut reference = Reference::new(rig.lives, &token, SCOPE, START.millis());
        if cast.private {
            reference.promise_nothing();
        }
        let storages = vec![Some(token); if cast.private { cast.clients.into() } else { 1 }];
        Self {
            rig,
            cast,
            table,
            reference,
            user,
            now: START.millis(),
            requests: Vec::new(),
            running: BTreeMap::new(),
            answers: Vec::new(),
            storages,
            awaited: Vec::new(),
            stolen: Vec::new(),
            backup: None,
            doors: Vec::new(),
            minted: Vec::new(),
            revocations: Revocations::default(),
            next: 0,
            repeated: 0,
            told: BTreeMap::new(),
            names,
            story: tell.then(Story::default),
        }
    }

    /// Takes one step.
    ///
    /// # Errors
    ///
    /// The [`Violation`] that it leads to.
    pub fn step(&mut self, step: Step) -> Result<(), Violation> {
        match step {
            Step::Send { client, scope } => self.send(client, scope),
            Step::GiveUp { client } => self.give_up(client),
            Step::Copy => self.copy(),
            Step::Steal { token } => self.steal(token),
            Step::Forge { generation } => self.forge(generation),
            Step::Arrive { request, instance } => return self.arrive(request.into(), instance.into()),
            Step::Lose { request } => self.lose(request.into()),
            Step::Echo { request } => self.echo(request.into()),
            Step::Serve { operation, fate } => return self.serve(operation.into(), fate),
            Step::Hear { answer } => self.hear(answer.into()),
            Step::Miss { answer } => self.miss(answer.into()),
            Step::Wait { seconds } => self.wait(seconds),
            Step::Change { change, stamped } => self.change(change, stamped),
            Step::Knock { door, token } => return self.knock(door.into(), token.into()),
        }
        Ok(())
    }

    /// What is left of the session's time, at most.
    pub(crate) fn seconds_left(&self) -> u32 {
        let left = (START + ABSOLUTE).since(UnixTime::from_millis(self.now));
        u32::try_from(left.as_secs()).unwrap_or_default()
    }

    /// How many requests, operations and answers there are to choose among.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        (self.requests.len(), self.rig.gate.len(), self.answers.len())
    }

    /// Whether a client of the owner's still has a token.
    pub fn is_signed_in(&self, client: u8) -> bool {
        self.storages.get(if self.cast.private { client.into() } else { 0 }).is_some_and(Option::is_some)
    }

    /// How many tokens the thief has, by copying and by refreshing.
    pub fn stolen(&self) -> usize {
        self.stolen.len()
    }

    /// How many access tokens were minted.
    pub(crate) fn minted(&self) -> usize {
        self.minted.len()
    }

    /// What a client of the owner's can do now: send, give up.
    pub(crate) fn client_can(&self) -> (bool, bool) {
        (self.storages.first().is_some_and(Option::is_some), !self.awaited.is_empty())
    }

    /// How many requests of the owner's, or of the thief's, are under way.
    pub(crate) fn under_way(&self, thief: bool) -> usize {
        let answers = self.answers.iter().map(|(message, _)| message);
        let messages = self.requests.iter().chain(self.running.values().map(|running| &running.message)).chain(answers);
        messages.filter(|message| matches!(message.sender, Sender::Owner(_)) != thief && !message.immortal).count()
    }

    /// Lets reads of the user through: nothing that is searched exhaustively changes the user.
    pub(crate) fn serve_reads(&mut self) -> Result<(), Violation> {
        while let Some(at) = self.rig.gate.position(|operation| matches!(operation, Operation::ReadUser)) {
            self.serve(at, Fate::Done)?;
        }
        Ok(())
    }

    /// Lets requests arrive, reads of the user through, and the thief hear.
    pub(crate) fn serve_at_once(&mut self) -> Result<(), Violation> {
        while !self.requests.is_empty() {
            self.arrive(0, 0)?;
        }
        self.serve_reads()?;
        while let Some(at) = self.answers.iter().position(|(message, _)| message.sender == Sender::Thief) {
            self.hear(at);
        }
        Ok(())
    }

    /// What happened, for people.
    pub fn into_story(self) -> String {
        self.story.map(Story::into_text).unwrap_or_default()
    }

    fn tell(&mut self, line: impl FnOnce(&mut Story) -> String) {
        let seconds = (self.now - START.millis()) / 1000;
        if let Some(story) = &mut self.story {
            story.tell(seconds, line);
        }
    }

    fn storage(&mut self, client: u8) -> Option<&mut Option<String>> {
        self.storages.get_mut(if self.cast.private { client.into() } else { 0 })
    }

    fn send(&mut self, client: u8, scope: Asked) {
        if client >= self.cast.clients || self.under_way(false) >= IN_FLIGHT {
            return;
        }
        let Some(token) = self.storage(client).and_then(|storage| storage.clone()) else { return };
        let id = self.dispatch(Sender::Owner(client), token, scope);
        self.awaited.push((client, id));
    }

    fn dispatch(&mut self, sender: Sender, token: String, scope: Asked) -> usize {
        let id = self.next;
        self.next += 1;
        self.reference.sent(id, sender.who(), &token);
        self.tell(|story| format!("{} sends {} as #{id}{}", who(sender), story.token(&token), asked(scope)));
        self.requests.push(Message { id, since: self.now, sender, token, scope, immortal: false });
        id
    }

    fn give_up(&mut self, client: u8) {
        let Some(at) = self.awaited.iter().position(|(of, _)| *of == client) else { return };
        let (_, id) = self.awaited.remove(at);
        self.tell(|_| format!("{} gives up on #{id}", who(Sender::Owner(client))));
    }

    fn copy(&mut self) {
        let Some(Some(token)) = self.storages.first().cloned() else { return };
        self.tell(|story| format!("the thief copies {}", story.token(&token)));
        self.stolen.push(token);
        // Of two holders with private copies, one may come back with a token older than the copied one.
        if !self.cast.private {
            self.reference.copied();
        }
    }

    fn steal(&mut self, token: u8) {
        let Some(token) = self.stolen.iter().rev().nth(token.into()).cloned() else { return };
        if self.under_way(true) < IN_FLIGHT {
            self.dispatch(Sender::Thief, token, Asked::All);
        }
    }

    /// A token as it should be, but for the key that makes its MAC.
    fn forge(&mut self, generation: u8) {
        let nonce = Nonce::from_bytes([generation; 16]);
        let token = self.rig.foreign_keys.seal(USER, SESSION, generation.into(), &nonce).to_string();
        if self.under_way(true) < IN_FLIGHT {
            self.dispatch(Sender::Stranger, token, Asked::All);
        }
    }

    fn arrive(&mut self, request: usize, instance: usize) -> Result<(), Violation> {
        let Some(app) = self.rig.apps.get(instance) else { return Ok(()) };
        if request >= self.requests.len() {
            return Ok(());
        }
        let mut message = self.requests.remove(request);
        message.since = self.now;
        let id = message.id;
        self.tell(|_| format!("#{id} arrives at instance {instance}"));
        self.reference.arrived(id, self.now);
        let event = event(&message, self.now);
        let future = Box::pin(app.answer(Request::from_event(&event)));
        self.running.insert(id, Running { message, undisturbed: true, future });
        self.run(id)
    }

    /// Lets an instance go on until it waits for the table, or answers.
    fn run(&mut self, id: usize) -> Result<(), Violation> {
        let Some(running) = self.running.get_mut(&id) else { return Ok(()) };
        self.rig.gate.run(id);
        let Poll::Ready(response) = running.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            return Ok(());
        };
        let Some(Running { mut message, undisturbed, .. }) = self.running.remove(&id) else { return Ok(()) };
        self.rig.gate.forget(id);
        let verdict = answer::read(&response).ok_or(Violation::OddAnswer)?;
        let is_full = self.table.session().is_none_or(|session| session.earlier.len() == EARLIER_CHILDREN);
        if verdict == Verdict::Again && undisturbed && !is_full && message.scope != Asked::More {
            return Err(Violation::OddAnswer);
        }
        if let Verdict::Granted { token, exp, ver, access, .. } = &verdict {
            self.minted.push(Access { text: access.clone(), exp: *exp, ver: *ver });
            let generation = self.rig.keys.open(token).map_or(u32::MAX, |token| token.generation());
            self.names.learn(token, generation);
        }
        self.told.remove(&id);
        self.tell(|story| format!("#{id} is answered: {}", story.verdict(&verdict)));
        let answered = self.reference.answered(id, &verdict, self.now);
        message.since = self.now;
        self.answers.push((message, verdict));
        answered
    }

    fn lose(&mut self, request: usize) {
        if request < self.requests.len() {
            let id = self.requests.remove(request).id;
            self.tell(|_| format!("#{id} is lost on its way"));
        }
    }

    fn echo(&mut self, request: usize) {
        let Some(message) = self.requests.get(request) else { return };
        let echo = Message { id: self.next, immortal: true, ..message.clone() };
        self.next += 1;
        self.reference.promise_nothing();
        self.reference.sent(echo.id, echo.sender.who(), &echo.token);
        let (id, of) = (echo.id, message.id);
        self.tell(|_| format!("the network keeps a copy of #{of}, as #{id}"));
        self.requests.push(echo);
    }

    fn serve(&mut self, operation: usize, fate: Fate) -> Result<(), Violation> {
        let Some((ticket, id, operation)) = self.rig.gate.peek(operation) else { return Ok(()) };
        let is_done = !matches!(fate, Fate::Fault | Fate::CrashBefore);
        let reply = if is_done { self.carry_out(&operation) } else { Reply::Fault };
        let who = id.checked_sub(Gate::DOORS).map_or_else(|| format!("#{id}"), |door| format!("authorizer {door}"));
        self.tell(|_| format!("{who} {}: {}", describe(&operation, &reply), fate.describe()));
        self.remember(id, &reply);
        for (of, running) in &mut self.running {
            let concerns = if *of == id { fate != Fate::Done } else { matches!(operation, Operation::Write(..)) };
            running.undisturbed &= !concerns;
        }
        let before = START + ABSOLUTE;
        if self.table.session().is_some_and(|session| session.expires_at != before) {
            return Err(Violation::ExpiryMoved);
        }
        if let Some(disagreement) = self.table.disagreement() {
            self.tell(|_| disagreement);
            return Err(Violation::TablesDisagree);
        }
        match fate {
            Fate::DoneAndRepeated if self.repeated < 2 => {
                self.repeated += 1;
                return Ok(());
            }
            Fate::Done | Fate::DoneAndRepeated => self.rig.gate.reply(ticket, reply),
            Fate::Fault | Fate::DoneAndFault => self.rig.gate.reply(ticket, Reply::Fault),
            Fate::CrashBefore | Fate::CrashAfter => {
                match id.checked_sub(Gate::DOORS) {
                    Some(door) => self.start_door(door),
                    None => self.kill(id),
                }
                return Ok(());
            }
        }
        self.repeated = 0;
        match id.checked_sub(Gate::DOORS) {
            Some(door) => self.decide(door),
            None => self.run(id),
        }
    }

    fn remember(&mut self, id: usize, reply: &Reply) {
        let mut hasher = DefaultHasher::new();
        self.told.get(&id).hash(&mut hasher);
        match reply {
            Reply::Written(Written::Done(session) | Written::Refused(Some(session))) => {
                matches!(reply, Reply::Written(Written::Done(_))).hash(&mut hasher);
                self.names.meet(session);
                self.names.session(session, &mut hasher);
            }
            Reply::Written(Written::Refused(None)) => "gone".hash(&mut hasher),
            Reply::Written(Written::Ended) => "ended".hash(&mut hasher),
            Reply::User(_) => "user".hash(&mut hasher),
            Reply::Session(_) => "session".hash(&mut hasher),
            Reply::Journal(_) => "journal".hash(&mut hasher),
            Reply::Fault => "fault".hash(&mut hasher),
        }
        self.told.insert(id, hasher.finish());
    }

    /// The same for two states of which nothing different can follow, if as much is left to them.
    pub(crate) fn digest(&mut self, left: &[usize]) -> u64 {
        let mut hasher = DefaultHasher::new();
        left.hash(&mut hasher);
        let session = self.table.session();
        if let Some(session) = &session {
            self.names.session(session, &mut hasher);
        }
        let names = &self.names;
        let mut message = |it: &Message| {
            (it.id, it.since, it.sender == Sender::Thief, names.token(&it.token)).hash(&mut hasher);
        };
        self.requests.iter().for_each(&mut message);
        self.running.values().for_each(|running| message(&running.message));
        for (it, verdict) in &self.answers {
            (it.id, it.since, names.token(&it.token)).hash(&mut hasher);
            names.verdict(verdict, &mut hasher);
        }
        let name = |token: &Option<String>| token.as_ref().map(|token| names.token(token));
        let storages: Vec<_> = self.storages.iter().map(name).collect();
        let stolen: Vec<_> = self.stolen.iter().map(|token| names.token(token)).collect();
        (self.now, &self.told, storages, stolen, &self.awaited, self.next).hash(&mut hasher);
        (self.requests.len(), self.running.len()).hash(&mut hasher);
        names.reference(&self.reference, &mut hasher);
        hasher.finish()
    }

    /// Somebody comes to an authorizer with a token.
    fn knock(&mut self, door: usize, token: usize) -> Result<(), Violation> {
        let Some(token) = self.minted.len().checked_sub(token + 1) else { return Ok(()) };
        if self.doors.is_empty() {
            (0..DOORS).for_each(|number| self.start_door(number));
        }
        let Some((at, access)) = self.doors.get_mut(door).zip(self.minted.get(token)) else { return Ok(()) };
        if at.ask(token, &access.text, self.now) {
            self.tell(|_| format!("somebody comes to authorizer {door} with access token {token}"));
        }
        self.decide(door)
    }

    /// Lets an authorizer go on until it waits, or has decided.
    fn decide(&mut self, door: usize) -> Result<(), Violation> {
        let decided = self.doors.get_mut(door).and_then(Door::run);
        let Some((token, said)) = decided else { return Ok(()) };
        self.tell(|_| format!("authorizer {door} says {said:?}"));
        let Some(token) = self.minted.get(token) else { return Ok(()) };
        match said {
            Said::Allowed => self.revocations.allowed(token, self.now, BOUND),
            Said::Unauthorized(_) => self.revocations.refused(token, self.now),
            Said::Unavailable => Ok(()),
        }
    }

    /// A cold start.
    fn start_door(&mut self, number: usize) {
        self.rig.gate.forget(Gate::DOORS + number);
        let Ok(door) = Door::new(number, self.rig) else { return };
        match self.doors.get_mut(number) {
            Some(old) => *old = door,
            None => self.doors.push(door),
        }
    }

    fn carry_out(&mut self, operation: &Operation) -> Reply {
        match operation {
            Operation::Write(write, at) => {
                let written = self.table.write(write, *at);
                if written == Written::Ended {
                    self.revocations.session_ended(self.now);
                }
                Reply::Written(written)
            }
            Operation::ReadJournal(from) => Reply::Journal(self.table.journal(*from)),
            Operation::ReadUser => Reply::User(self.table.user()),
            Operation::ReadSession => Reply::Session(self.table.session()),
        }
    }

    fn kill(&mut self, id: usize) {
        self.told.remove(&id);
        self.running.remove(&id);
        self.rig.gate.forget(id);
    }

    fn hear(&mut self, answer: usize) {
        if answer >= self.answers.len() {
            return;
        }
        let (message, verdict) = self.answers.remove(answer);
        let id = message.id;
        self.tell(|_| format!("#{id}'s answer arrives"));
        match (message.sender, verdict) {
            (Sender::Thief, Verdict::Granted { token, .. }) => self.stolen.push(token),
            (Sender::Thief | Sender::Stranger, _) => {}
            (Sender::Owner(client), verdict) => {
                let Some(at) = self.awaited.iter().position(|awaited| *awaited == (client, id)) else { return };
                self.awaited.remove(at);
                self.keep(client, &verdict);
            }
        }
    }

    /// An honest client keeps the highest generation that it receives, and signs in again only when it is told to.
    fn keep(&mut self, client: u8, verdict: &Verdict) {
        let keys = &self.rig.keys;
        let generation = |token: &str| keys.open(token).map(|token| token.generation()).ok();
        let Some(storage) = self.storages.get_mut(if self.cast.private { client.into() } else { 0 }) else { return };
        match verdict {
            Verdict::Granted { token, .. } => {
                let held = storage.as_deref().and_then(generation);
                if storage.is_some() && generation(token) > held {
                    *storage = Some(token.clone());
                }
            }
            Verdict::Refused => *storage = None,
            Verdict::Again => {}
        }
    }

    fn miss(&mut self, answer: usize) {
        if answer < self.answers.len() {
            let (message, _) = self.answers.remove(answer);
            self.tell(|_| format!("#{}'s answer is lost", message.id));
        }
    }

    fn wait(&mut self, seconds: u32) {
        self.now += u64::from(seconds) * 1000;
        self.rig.time.store(self.now, Ordering::Relaxed);
        self.tell(|_| format!("{seconds} s go by"));
        let now = self.now;
        self.running.values_mut().for_each(|running| running.undisturbed = false);
        let lives = |message: &Message| message.immortal || now - message.since <= LIFE;
        self.requests.retain(lives);
        self.answers.retain(|(message, _)| lives(message));
        let late: Vec<usize> =
            self.running.iter().filter(|(_, it)| now - it.message.since > LIFE).map(|(id, _)| *id).collect();
        let oldest = now.saturating_sub(LIFE);
        self.doors.iter_mut().for_each(|door| door.time_out(oldest));
        for id in late {
            self.tell(|_| format!("#{id} times out at its instance"));
            self.kill(id);
        }
    }

    /// Raises the user's `ver`, and tells the journal.
    fn raise_ver(&mut self, stamp: UnixTime) {
        self.user.ver = self.user.next_ver(UnixTime::from_millis(self.now));
        self.table.tell(Revocation::user(USER, self.user.ver), stamp);
        self.revocations.version_is(self.user.ver, self.now);
    }

    fn is_good(&self, session: &Session) -> bool {
        session.is_alive(UnixTime::from_millis(self.now)) && self.user.admits(session.ver).is_ok()
    }

    fn limit(&mut self, scope: &str, stamp: UnixTime) {
        self.raise_ver(stamp);
        self.user.scope = words(scope);
        self.reference.scope_is(scope);
    }

    fn change(&mut self, change: Change, stamped: i32) {
        let stamp = UnixTime::from_millis(self.now.saturating_add_signed(i64::from(stamped) * 1000));
        match change {
            Change::Logout => {
                let end = End { cause: EndCause::Logout, at: UnixTime::from_millis(self.now) };
                if self.table.write(&Write::End(end), stamp) == Written::Ended {
                    self.revocations.session_ended(self.now);
                }
                self.reference.ended();
            }
            Change::Disable => {
                self.user.status = Status::Disabled;
                self.raise_ver(stamp);
                self.reference.ended();
            }
            Change::Password => {
                self.raise_ver(stamp);
                self.user.floor = self.user.ver;
                self.reference.ended();
            }
            Change::Others => {
                let Some(session) = self.table.session().filter(|session| self.is_good(session)) else { return };
                self.raise_ver(stamp);
                self.user.floor = self.user.ver;
                self.table.put_session(&Session { ver: self.user.ver, ..session });
            }
            Change::LessScope => self.limit(LESS_SCOPE, stamp),
            Change::WholeScope => self.limit(SCOPE, stamp),
            Change::Delete => {
                self.table.delete_session();
                self.raise_ver(stamp);
                self.reference.ended();
            }
            Change::BackUp => self.backup = self.table.session().map(|session| (session, self.user.clone())),
            Change::Restore => {
                let Some((session, user)) = self.backup.clone() else { return };
                // A table is restored as a new one, and traffic is stopped while the functions are pointed to it: what was
                // under way has come to its end.
                self.wait(RESTORE);
                self.table.put_session(&session);
                self.reference.scope_is(user.scope.as_str());
                self.reference.restored();
                self.revocations.restored();
                self.user = user;
            }
        }
        self.table.put_user(&self.user);
        self.tell(|_| change.describe().to_owned());
    }
}

fn event(message: &Message, now: u64) -> serde_json::Value {
    let scope = match message.scope {
        Asked::All => None,
        Asked::Less => Some(LESS_SCOPE),
        Asked::More => Some(MORE_SCOPE),
    };
    json!({
        "resource": "/refresh",
        "httpMethod": "POST",
        "headers": {"content-type": "application/json"},
        "body": json!({"refresh_token": message.token, "scope": scope}).to_string(),
        "requestContext": {"requestTimeEpoch": now},
    })
}

fn asked(scope: Asked) -> &'static str {
    match scope {
        Asked::All => "",
        Asked::Less => ", for less scope",
        Asked::More => ", for more scope",
    }
}

fn user() -> User {
    User {
        id: USER,
        login_name: LoginName::from_canonical("owner".to_owned()),
        status: Status::Active,
        ver: 1,
        floor: 0,
        roles: Roles::default(),
        scope: words(SCOPE),
    }
}

fn words(scope: &str) -> Scope {
    Scope::parse(scope).unwrap_or_default()
}

fn session(rig: &Rig) -> Session {
    let nonce = Nonce::random(rig.entropy.as_ref()).unwrap_or_else(|_| Nonce::from_bytes([0; 16]));
    Session {
        client_id: "app".to_owned(),
        scope: words(SCOPE),
        ver: 1,
        ..Session::begin(USER, SESSION, nonce, &rig.policy, START)
    }
}
