//! What the probe guest does: for each callback a queue of entries, one per call of it; in each, actions and a result.
//!
//! A script becomes bytes in the probe's memory. Its interpreter (see [`crate::probe`]) and this file agree on their
//! layout; nothing else knows it.

use std::collections::HashMap;
use std::sync::LazyLock;

use pw_abi::Version;

use crate::data::Data;

/// Where the script lies in the probe's memory.
pub const SCRIPT: u32 = 0x1_0000;
/// The header of a request that brings a streamed probe its script.
pub const SCRIPT_HEADER: &str = "x-pw-script";
/// The first address after such a script; its text is read in above that.
pub const SCRIPT_END: u32 = 0x10_0000;
/// The first address after the probe's heap; the log buffer follows.
pub const HEAP_END: u32 = 0x20_0000;
/// The size of the probe's memory, in 64 KiB pages.
pub const PAGES: u32 = 64;
/// The first address after the probe's memory.
pub const MEMORY_END: u32 = PAGES * 0x1_0000;
/// How many registers there are: 0 to 4 hold the running callback's arguments.
pub const REGISTERS: u32 = 64;
/// The register that holds the plugin context's id.
pub const PLUGIN_CONTEXT: u32 = 5;
/// The register that holds the id of the stream context that was created last.
pub const STREAM_CONTEXT: u32 = 6;

/// Where in it the table of entries begins; before that are its head and the plugins of the first plugin contexts.
pub(crate) const TABLE: usize = 16 + ROOTS;
/// The number of plugin contexts that a script can distinguish.
pub(crate) const ROOTS: usize = 16;

/// A script, and the parts of the probe that it needs.
#[derive(Clone, Debug)]
pub struct Script {
    /// The version that the probe claims.
    pub version: Version,
    /// The callbacks that the probe does not export.
    pub without: Vec<&'static str>,
    /// The allocators that the probe exports.
    pub allocators: Vec<&'static str>,
    /// How they behave.
    pub allocation: Allocation,
    /// The probe logs each allocation.
    pub report_allocations: bool,
    /// The probe reports nothing, for who sees it from within the host.
    pub silent: bool,
    /// For each plugin of the VM, and for each callback by its place in [`callbacks`], what happens in its first call, its
    /// second, and so on.
    pub entries: Vec<Vec<Entry>>,
    /// Which of the plugins a plugin context is of, in the order of their creation; the first where it does not say.
    pub roots: Vec<u8>,
}

/// How the probe's allocators behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// They give memory.
    Bump,
    /// They always answer this.
    Constant(u32),
    /// They grow the memory by a page each time, and give its start.
    Grow,
    /// They trap.
    Trap,
}

/// What happens in one call of a callback.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The calls that the guest makes, in order.
    pub actions: Vec<Action>,
    /// What the callback returns, unless its default.
    pub result: Option<u32>,
}

impl Entry {
    /// Whether it is another than where there is none.
    fn says(&self) -> bool {
        !self.actions.is_empty() || self.result.is_some()
    }
}

/// Something that the guest does.
#[derive(Clone, Debug)]
pub struct Action {
    /// A number, unique in the scenario, by which its report is known.
    pub id: u32,
    /// What.
    pub act: Act,
}

/// See [`Action`].
#[derive(Clone, Debug)]
pub enum Act {
    /// Executes `unreachable`.
    Trap,
    /// Calls the host.
    Call {
        /// The function.
        function: &'static pw_abi::Function,
        /// The arguments.
        lanes: Vec<Lane>,
        /// What to report of what was written.
        outs: Vec<Out>,
    },
}

/// A lane of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lane {
    /// These bits.
    Bits(u64),
    /// The address of these bytes.
    Address(Data),
    /// The address of a free place of this size, which is filled with 0xFF before the call; `Out`s name it by its number.
    Slot(u32),
    /// The bits of a register.
    Register(u32),
    /// The address of a WASI array of these pieces.
    Iovecs(Vec<Data>),
}

/// What to report of what a call wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Out {
    /// The parameter's or lane's name.
    pub name: &'static str,
    /// What is at the slots.
    pub form: Form,
    /// The register to save a number to.
    pub save: Option<u32>,
}

/// The form of an [`Out`]; the numbers count the call's [`Lane::Slot`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A 32-bit number.
    Word(u32),
    /// A 64-bit number.
    Double(u32),
    /// Bytes by pointer and size.
    Bytes(u32, u32),
    /// The first bytes of the slot, that many.
    Region(u32, u32),
}

/// Every export that a plugin may have, in any version, in the order by which the probe numbers them.
pub fn callbacks() -> impl Iterator<Item = &'static pw_abi::Callback> + Clone {
    pw_abi::SECTIONS.iter().flat_map(|section| section.guest)
}

/// Every host function, in any version, in the order by which the probe numbers them.
pub fn functions() -> impl Iterator<Item = &'static pw_abi::Function> + Clone {
    pw_abi::SECTIONS.iter().flat_map(|section| section.host)
}

/// The place of a row of the table in [`functions`].
pub fn function_number(row: &'static pw_abi::Function) -> Option<usize> {
    // Asked for every call of every run.
    static ADDRESSES: LazyLock<Vec<(usize, usize)>> = LazyLock::new(|| {
        let addresses = functions().enumerate().map(|(number, row)| (std::ptr::from_ref(row).addr(), number));
        let mut addresses: Vec<_> = addresses.collect();
        addresses.sort_unstable();
        addresses
    });
    let address = std::ptr::from_ref(row).addr();
    let place = ADDRESSES.binary_search_by_key(&address, |(known, _)| *known).ok()?;
    Some(ADDRESSES[place].1)
}

/// The row of the callback with that number.
pub fn callback(number: usize) -> Option<&'static pw_abi::Callback> {
    static ROWS: LazyLock<Vec<&pw_abi::Callback>> = LazyLock::new(|| callbacks().collect());
    ROWS.get(number).copied()
}

/// The number of the callback called `name`.
pub fn callback_number(name: &str) -> Option<usize> {
    // Asked for every callback of every run.
    static NUMBERS: LazyLock<HashMap<&str, usize>> =
        LazyLock::new(|| callbacks().enumerate().map(|(number, row)| (row.name, number)).collect());
    NUMBERS.get(name).copied()
}

impl Script {
    /// A script that does nothing, for a probe that exports everything but the older allocator.
    pub fn new(version: Version) -> Script {
        Script {
            version,
            without: Vec::new(),
            allocators: vec!["proxy_on_memory_allocate"],
            allocation: Allocation::Bump,
            report_allocations: false,
            silent: false,
            entries: vec![Vec::new(); callbacks().count()],
            roots: Vec::new(),
        }
    }

    /// Makes room for several plugins, by whose contexts are created one after the other.
    pub fn members(&mut self, roots: &[u8]) {
        let members = roots.iter().max().map_or(1, |most| usize::from(*most) + 1);
        self.entries.resize(members * callbacks().count(), Vec::new());
        self.roots = if members > 1 { roots.to_vec() } else { Vec::new() };
    }

    /// What a plugin of the VM does in a callback.
    pub fn of(&mut self, member: usize, callback: usize) -> &mut Vec<Entry> {
        &mut self.entries[member * callbacks().count() + callback]
    }

    /// All actions, in the order of callbacks and calls.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.entries.iter().flatten().flat_map(|entry| &entry.actions)
    }

    /// The functions that it calls.
    pub fn functions(&self) -> Vec<&'static pw_abi::Function> {
        let called = |row: &&pw_abi::Function| {
            self.actions().any(|action| matches!(&action.act, Act::Call { function, .. } if function.name == row.name))
        };
        functions().filter(called).collect()
    }

    /// The header that brings it to a streamed probe, by this number; none if it is too long to be brought so.
    ///
    /// That probe has started before the script comes, and exports and allocates as it does.
    pub fn header(&self, number: u32) -> Option<(Data, Data)> {
        let bytes = self.bytes();
        if bytes.len() > (HEAP_END - SCRIPT_END) as usize / 4 {
            return None;
        }
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let bytes = number.to_be_bytes().into_iter().chain(bytes);
        let digits = bytes.flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        Some((SCRIPT_HEADER.into(), Data(digits.collect())))
    }

    /// The bytes that lie at [`SCRIPT`].
    ///
    /// First the allocators' mode and answer, whether to report them or nothing at all, and where the heap starts; then whose contexts the
    /// first plugin contexts are; then for each plugin and callback the address of its first entry; then entries and data. The slots of calls
    /// lie between the end of the bytes and the heap.
    pub fn bytes(&self) -> Vec<u8> {
        let mut image = Image { bytes: Vec::with_capacity(IMAGE), ..Image::default() };
        image.bytes.resize(TABLE + 4 * self.entries.len(), 0);
        for (place, root) in image.bytes[16..TABLE].iter_mut().zip(&self.roots) {
            *place = *root;
        }
        for (callback, entries) in self.entries.iter().enumerate() {
            let mut link = TABLE + 4 * callback;
            // After the last entry that does something nothing is needed.
            let entries_used = entries.iter().rposition(Entry::says).map_or(0, |last| last + 1);
            for entry in &entries[..entries_used] {
                let place = image.entry(entry);
                image.set(link, SCRIPT + place as u32);
                link = place;
            }
        }
        let (mode, answer) = match self.allocation {
            Allocation::Bump => (0, 0),
            Allocation::Constant(answer) => (1, answer),
            Allocation::Grow => (2, 0),
            Allocation::Trap => (3, 0),
        };
        image.set(0, mode);
        image.set(4, answer);
        image.set(8, u32::from(self.report_allocations) | u32::from(self.silent) << 1);
        image.align();
        let end = SCRIPT + image.bytes.len() as u32;
        image.move_slots(end);
        image.set(12, end + image.slot_bytes);
        image.bytes
    }
}

/// Bytes that most scripts have room in.
const IMAGE: usize = 0x4000;

#[derive(Default)]
struct Image {
    bytes: Vec<u8>,
    /// The words of the entry at hand, and the addresses of the slots of its action.
    words: Vec<u32>,
    slots: Vec<u32>,
    /// The number of bytes of all slots, which lie after the others.
    slot_bytes: u32,
    /// Which of the words of the entry at hand, and then which of the bytes, begin an address of a slot.
    slot_words: Vec<usize>,
    slot_places: Vec<usize>,
}

impl Image {
    /// An entry: the next entry, whether there is a result, the result, the number of actions, and these.
    fn entry(&mut self, entry: &Entry) -> usize {
        let result = [u32::from(entry.result.is_some()), entry.result.unwrap_or(0)];
        self.words.clear();
        self.slot_words.clear();
        self.words.extend([0, result[0], result[1], entry.actions.len() as u32]);
        entry.actions.iter().for_each(|action| self.action(action));
        self.align();
        let place = self.bytes.len();
        self.bytes.resize(place + 4 * self.words.len(), 0);
        let (places, _) = self.bytes[place..].as_chunks_mut::<4>();
        places.iter_mut().zip(&self.words).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
        self.slot_places.extend(self.slot_words.iter().map(|word| place + 4 * word));
        place
    }

    /// An action: function (all ones to trap), id, numbers of lanes and outs; per lane whether it is a register, the number of bytes to fill
    /// there, and its 64 bits at 8; per out its form, two words and the register to save to, counted from 1.
    fn action(&mut self, action: &Action) {
        let Act::Call { function, lanes, outs } = &action.act else {
            return self.words.extend([u32::MAX, action.id, 0, 0]);
        };
        let number = function_number(function).unwrap_or(usize::MAX);
        self.words.extend([number as u32, action.id, lanes.len() as u32, outs.len() as u32]);
        self.slots.clear();
        for lane in lanes {
            let (register, bits) = match lane {
                Lane::Bits(bits) => (0, *bits),
                Lane::Register(register) => (1, u64::from(*register)),
                Lane::Address(data) => (0, self.place(&data.0).into()),
                Lane::Iovecs(pieces) => (0, self.iovecs(pieces).into()),
                Lane::Slot(size) => {
                    self.slots.push(self.slot_bytes);
                    self.slot_bytes += size.next_multiple_of(16);
                    self.words.extend([0, *size]);
                    self.slot(self.slots.len() as u32 - 1);
                    self.words.push(0);
                    continue;
                }
            };
            self.words.extend([register, 0, bits as u32, (bits >> 32) as u32]);
        }
        for out in outs {
            match out.form {
                Form::Word(place) => self.written(0, place),
                Form::Double(place) => self.written(1, place),
                Form::Bytes(pointer, _) => self.written(2, pointer),
                Form::Region(place, _) => self.written(3, place),
            }
            match out.form {
                Form::Bytes(_, size) => self.slot(size),
                Form::Region(_, size) => self.words.push(size),
                Form::Word(_) | Form::Double(_) => self.words.push(0),
            }
            self.words.push(out.save.map_or(0, |register| register + 1));
        }
    }

    /// The form of an out, and its first slot.
    fn written(&mut self, form: u32, slot: u32) {
        self.words.push(form);
        self.slot(slot);
    }

    /// The address of a slot of the action at hand: from the end of the bytes, which is not known yet.
    fn slot(&mut self, number: u32) {
        let Some(address) = self.slots.get(number as usize) else { return self.words.push(0) };
        self.slot_words.push(self.words.len());
        self.words.push(*address);
    }

    fn iovecs(&mut self, pieces: &[Data]) -> u32 {
        let entries: Vec<[u32; 2]> = pieces.iter().map(|piece| [self.place(&piece.0), piece.0.len() as u32]).collect();
        self.place(&entries.iter().flatten().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
    }

    /// Puts bytes down, aligned, and gives their address.
    fn place(&mut self, bytes: &[u8]) -> u32 {
        self.align();
        let address = SCRIPT + self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        address
    }

    /// Lets the slots begin at an address.
    fn move_slots(&mut self, start: u32) {
        for place in std::mem::take(&mut self.slot_places) {
            let word: [u8; 4] = self.bytes[place..place + 4].try_into().expect("a word has four bytes");
            self.set(place, start + u32::from_le_bytes(word));
        }
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(16), 0);
    }

    fn set(&mut self, place: usize, word: u32) {
        self.bytes[place..place + 4].copy_from_slice(&word.to_le_bytes());
    }
}
