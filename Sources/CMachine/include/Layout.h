// Layout.h: every memory layout that more than one part of the machine reads, written once. Swift imports it, the
// dispatch glue and the native-function API include it, and the JIT takes its offsets from MemoryLayout.offset(of:).
// Nothing here has behaviour.
//
// Fields that several threads touch name what protects them; a field without such a note belongs to the thread that
// runs the process (or, before publication, to the thread that builds the record).
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// One Erlang term: a tagged 64-bit word (Terms/Term.swift explains the tags). Raw 0 is "no term".
typedef struct Term { uint64_t raw; } Term;

/// A position in threaded code: points at a word that holds a handler's address; its operands follow.
typedef const uint64_t *CodePointer;

typedef struct Process Process;
typedef struct Function Function;
typedef struct Export Export;
typedef struct Scheduler Scheduler;  // Schedule.h

// MARK: - Off-heap objects

/// A reference-counted binary, shared between processes; `bytes` are immutable up to what any handle covers.
///
///     +------------+----------+-------+------------------+
///     | references | capacity | flags | bytes[capacity]  |
///     +------------+----------+-------+------------------+
typedef struct Binary {
    uint64_t references;  // atomic; the last decrement frees
    uint64_t capacity;    // bytes allocated behind the header
    uint64_t flags;       // binaryIsMagic and friends; constant after creation
} Binary;                 // the bytes follow

enum { binaryIsMagic = 1 };

/// What a magic reference points at: a Binary whose payload is owned by native code (tables, prepared code, NIF
/// resources). `bytes` of the head are not used.
typedef struct MagicBinary {
    Binary head;
    uint64_t numbers[2];  // the reference's own number words, as in an ordinary reference
    const void *_Nullable kind;  // identity of the owner's type
    void *_Nullable data;
    void (*_Nullable destroy)(struct MagicBinary *);  // runs when the last reference is gone
} MagicBinary;

/// The handles of a heap that own something outside it (boxed objects whose word 2 links to the next).
typedef struct OffHeapList {
    uint64_t *_Nullable first;
    uint64_t words;  // size of the binaries held, in words: the virtual binary heap
} OffHeapList;

/// A remote node's identity; interned and never freed. The local node has creation 0 until it is alive.
typedef struct NodeEntry {
    struct NodeEntry *_Nullable next;
    Term name;
    uint32_t creation;
    uint32_t channel;  // the first number of a printed remote pid
} NodeEntry;

// MARK: - Heap

/// Memory outside the process block: message bodies and what a native function built when the block was full.
typedef struct Fragment {
    struct Fragment *_Nullable next;
    uint64_t used;      // words
    uint64_t capacity;  // words
    OffHeapList offHeap;
} Fragment;  // the words follow

/// Where new terms go. In a process, `top..<limit` is the free part of its block; elsewhere (a message under
/// construction, a table object) it is the free part of the newest fragment, or empty.
typedef struct Heap {
    uint64_t *_Nullable top;
    uint64_t *_Nullable limit;
    Fragment *_Nullable fragments;
    uint64_t fragmentWords;
    OffHeapList offHeap;
} Heap;

// MARK: - Code

/// What the word before a return address, and the location operand of a raising instruction, point at: the stack map.
typedef struct Location {
    Function *_Nullable function;
    uint32_t line;   // index into the module's line table, 0 = unknown
    uint32_t frame;  // y registers of the frame in force
} Location;

/// A function of a loaded module. `entry` is where a call continues: at first `stub`, whose handler decodes the
/// function, then its threaded code, later native code.
typedef struct Function {
    CodePointer entry;  // release store by the decoder and the compiler; plain loads are enough on x86-64
    uint64_t stub[2];
    void *module;       // an unretained LoadedModule, which outlives its functions
    Term moduleName;
    Term name;
    uint32_t arity;
    uint32_t index;       // position in the module's function table
    uint32_t codeStart;   // byte offsets of the generic instructions in the Code chunk
    uint32_t codeEnd;
    uint32_t firstLabel;
    uint32_t labelCount;
    uint64_t *_Nullable code;  // threaded code once decoded
    uint64_t codeWords;
    uint64_t calls;       // calls left until the JIT is asked; relaxed, may lose counts
} Function;

/// Body of a native function: gets the running process and its argument terms, returns a term, or 0 after it has
/// stored the exception (or the trap) in the process.
typedef Term (*BifBody)(Process *process, const Term *arguments);

/// What an imported function and `fun M:F/A` point at; one per M:F/A, never freed.
typedef struct Export {
    CodePointer entry;  // release store under the code-modification lock
    uint64_t stub[2];   // word `entry` points at while the export has no Erlang code: undefined or BIF
    Term module;
    Term name;
    uint32_t arity;
    uint32_t flags;
    BifBody _Nullable bif;          // constant after boot
    BifBody _Nullable dirtyBif;     // what a dirty thread runs when `bif` only hands over; constant after boot
    Function *_Nullable function;   // current code, null if none; code-modification lock
} Export;

/// A `fun` defined in a module (one row of FunT), found again by module, uniq and index after a reload. Freed when no
/// module and no fun names it (FunEntries.swift).
typedef struct FunEntry {
    struct FunEntry *_Nullable next;
    Function *_Nullable function;  // null while the module is not loaded; release store under the code lock
    Term module;
    uint8_t uniq[16];
    uint32_t index;
    uint32_t oldUniq;
    uint32_t arity;      // as programs see it
    uint32_t freeCount;
    uint64_t holders;    // funs that are counted: those outside processes, and decoded ones; atomic
    uint32_t modules;    // generations of the module that name it; lock of FunEntries
    uint32_t isIdle;     // no module names it, or did not for a while: it is in the list of these; lock of FunEntries
    uint64_t watch;      // FunWatch; atomic, relaxed
} FunEntry;

/// A lock of four bytes: 0 free, 1 taken, 2 taken with waiters (futex).
typedef struct Lock { uint32_t state; } Lock;

/// A point in time on a timer wheel (Machine/Timers); embedded in what waits for it.
typedef struct TimerNode {
    struct TimerNode *_Nullable next;
    struct TimerNode *_Nullable previous;
    struct TimerWheel *_Nullable wheel;  // set before the node is linked
    uint64_t deadline;  // tick (ms) at which it fires
    uint32_t isLinked;
    uint32_t kind;      // TimerKind
    uint64_t slot;      // level * 64 + slot while linked
} TimerNode;

/// Where a receive may start to look for messages that hold a reference made at that point.
typedef struct ReceiveMarker {
    struct Signal *_Nullable *_Nullable position;  // link behind which new messages are; null: free
    uint64_t numbers[2];  // of the reference, once bound
    uint64_t id;
} ReceiveMarker;

enum { receiveMarkerCount = 4 };

// MARK: - Signals

/// A signal on its way to a process. The body lives in `fragments`, owned by the signal until the receiver adopts it.
typedef struct Signal {
    struct Signal *_Nullable next;
    uint32_t kind;   // SignalKind in Machine
    uint32_t flags;
    Term from;       // sender: always an immediate, or 0
    Term payload;    // the message, the exit reason, ...
    Term extra;      // a reference, a name, ...: depends on the kind
    Fragment *_Nullable fragments;
    uint64_t number; // depends on the kind
} Signal;

// MARK: - Process

/// One Erlang process. The memory of a Process is only ever reused for another Process, so that a thread that looked
/// one up may take `signalLock` and check `id` again under it.
///
///     heapStart           heap.top          stackTop           stackEnd
///     |  young generation  | ---- free ---- |  stack (frames)  |
typedef struct Process {
    Heap heap;
    uint64_t *stackTop;      // e, saved when the process does not run
    uint64_t *heapStart;
    uint64_t *stackEnd;      // end of the block
    uint64_t *highWater;     // terms below survived a collection and are promoted by the next one
    uint64_t *_Nullable oldStart;
    uint64_t *_Nullable oldTop;
    uint64_t *_Nullable oldEnd;
    OffHeapList oldOffHeap;

    CodePointer pc;          // where to continue
    Term *_Nullable savedX;  // live x registers while not running; inlineX or an allocated array
    uint32_t liveX;
    uint32_t savedXCapacity;
    Term inlineX[6];

    Scheduler *_Nullable scheduler;  // the one that runs it now
    Term id;                 // local pid; written under signalLock when the structure is reused
    Term groupLeader;
    Term exceptionClass;     // an ExceptionClass as a small integer, 0 = none
    Term reason;
    Term trace;              // raw stack trace of the exception under way, or nil
    Term exceptionArguments; // list of arguments for the top frame (error/2), or 0
    Term exceptionInfo;      // error_info of the top frame (error/3) or cause (native functions), or 0
    const Location *_Nullable location;  // of the instruction that runs native code
    Export *_Nullable trapTarget;
    Export *_Nullable currentBif;
    uint64_t partialLength;  // elements counted so far by a `length` instruction that gave the thread back
    struct NativeCall *_Nullable native;  // the native function that is under way across slices (Machine/Native)

    // Signals: the outer queue is shared, the inner one private.
    Lock signalLock;         // protects outer*, id, and that ProcessState.closed is set once
    uint32_t outerCount;
    Signal *_Nullable outerFirst;
    Signal *_Nullable *_Nullable outerLast;
    Signal *_Nullable messages;
    Signal *_Nullable *_Nullable messagesLast;
    Signal *_Nullable *_Nullable savePointer;
    uint64_t messageCount;
    struct ReceiveMarker *_Nullable markers;  // receiveMarkerCount of them, allocated on first use
    uint64_t nextMarker;     // also numbers unlink requests

    // Scheduling
    uint32_t state;          // ProcessState bits; atomic read-modify-write
    uint8_t priority;        // written by the process itself, read by who queues it
    uint8_t hasTimeout;      // a receive timeout is set and not yet cancelled
    uint8_t queueData;       // message_queue_data: 0 on_heap, 1 off_heap
    uint8_t dirtyKind;       // 1 CPU, 2 I/O while a dirty thread has or shall have the process
    Process *_Nullable nextInQueue;  // run-queue lock
    TimerNode timeout;       // receive timeout; lock of timeout.wheel
    int64_t reductions;      // total so far, without the current slice
    int64_t sliceReductions; // left in the slice when native code was entered
    uint32_t suspendCount;
    uint32_t flags;          // ProcessFlags: trap_exit, sensitive, ...; owner only

    // Garbage collection policy
    uint32_t minHeapWords;
    uint32_t fullSweepAfter;
    uint32_t minorSinceFull;
    uint32_t minBinaryWords;
    uint64_t maxHeapWords;
    uint64_t binaryWordsLimit;
    uint64_t oldBinaryWordsLimit;
    uint64_t collectionNeed;  // what a dirty thread is to collect for: LongCollections.swift; 0: nothing
    Signal *_Nullable collectionRequest;  // who asked for that, and gets an answer

    // Tables owned by the process (allocated on first use; Machine/Process)
    void *_Nullable dictionary;
    void *_Nullable links;
    void *_Nullable monitors;
    void *_Nullable extra;   // rarely used properties

    const Function *_Nullable initialFunction;
    Term initialModule;
    Term initialName;
    Term parent;
    Term registeredName;     // an atom, or 0; registry lock
    uint64_t started;        // monotonic time in ns
    uint32_t initialArity;
    uint32_t tableSlot;
} Process;

/// A native function that goes on after the slice in which it was called: on a fiber, or on a dirty thread. Terms in it
/// stay good because a process with one is not collected.
typedef struct NativeCall {
    Process *process;
    Export *function;
    BifBody body;
    Term arguments[6];
    Term result;                   // written by whoever runs the body
    struct Fiber *_Nullable fiber; // null: a dirty thread runs it
    Signal *_Nullable postponed;   // requests that have to wait for its end, newest first
    uint32_t kind;                 // DirtyKind, 0 on a fiber
    // Of a process that has ended while a dirty thread ran the function:
    Signal *_Nullable ending;      // what ended it
    Term endReason;
    uint64_t endTurn;              // of Endings
} NativeCall;

// MARK: - Scheduler

/// What a scheduler thread runs Erlang code with: the first argument of every handler and of native code. The x
/// registers follow the structure directly, the float registers follow them.
typedef struct Context {
    Process *process;
    Scheduler *scheduler;
    uint64_t exitReason;   // why Erlang code was left: ExitReason in Machine
    uint64_t stress;       // 1: collect at every heap test
    uint64_t wordsAhead;   // that native code wants besides what the heap test it leaves at is for
} Context;  // xRegisterCount terms follow, then floatRegisterCount doubles

enum { xRegisterCount = 1024, floatRegisterCount = 1024, stackReserve = 4 };

#pragma clang assume_nonnull end
