//! The steps of a history. Each names what it concerns by its place in a list; one that concerns nothing does nothing, so
//! that a history stays one when steps are taken out of it.

/// What the scheduler does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "members are places in lists, or seconds")]
pub enum Step {
    /// A client of the owner's sends the token that its storage holds.
    Send { client: u8, scope: Asked },
    /// A client gives up on its oldest request; what comes of that is dropped.
    GiveUp { client: u8 },
    /// The thief copies the owner's stored token.
    Copy,
    /// The thief sends one of the tokens that he has, the newest being 0.
    Steal { token: u8 },
    /// A stranger sends a token of a generation, made with another key.
    Forge { generation: u8 },
    /// A request arrives at an instance.
    Arrive { request: u8, instance: u8 },
    /// The network loses a request.
    Lose { request: u8 },
    /// The network delivers a request and keeps a copy, to deliver again whenever it likes.
    Echo { request: u8 },
    /// Something that was asked of the table.
    Serve { operation: u8, fate: Fate },
    /// An answer arrives.
    Hear { answer: u8 },
    /// The network loses an answer.
    Miss { answer: u8 },
    /// Time goes by, in seconds.
    Wait { seconds: u32 },
    /// Something else happens to the session or its user; its entry in the journal is stamped so many seconds from the truth.
    Change { change: Change, stamped: i32 },
    /// Somebody comes to an authorizer with an access token, the newest being 0.
    Knock { door: u8, token: u8 },
}

/// Which scope a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// None.
    All,
    /// A part of the session's.
    Less,
    /// More than the session's.
    More,
}

/// What becomes of one operation of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It is done, and the instance hears of it.
    Done,
    /// It is done, its answer is lost, and the SDK sends it again: it stays where it is.
    DoneAndRepeated,
    /// It is not done: conflicts, throttling, time-outs, until the SDK gives up.
    Fault,
    /// It is done, but the SDK gives up before it hears of that.
    DoneAndFault,
    /// The instance dies before.
    CrashBefore,
    /// The instance dies after.
    CrashAfter,
}

/// What happens beside refreshing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// The owner signs out.
    Logout,
    /// An operator disables the user.
    Disable,
    /// The password changes: the floor rises.
    Password,
    /// All other sessions are ended: the floor rises, and this session with it.
    Others,
    /// The user loses a part of the scope.
    LessScope,
    /// The user gets it back.
    WholeScope,
    /// The session's item is deleted, with its user or because it was over.
    Delete,
    /// The table is backed up.
    BackUp,
    /// The table is restored from the backup, with no request under way.
    Restore,
}
