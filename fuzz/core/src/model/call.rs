//! A call that a plugin made, as the model sees it: arguments, status, what was written; and the checks of each.

use pw_abi::{Errno, Function, Kind, Param, Returns, Status, Version};
use pw_cases::data::Data;
use pw_cases::script::Lane;
use pw_cases::transcript::Returned;

use super::finding::Wrong;

/// `Err` has what is wrong.
pub(super) type Judged = Result<(), Box<Wrong>>;

/// A call that has returned.
pub(super) struct Call<'a> {
    pub(super) function: &'static Function,
    pub(super) lanes: &'a [u64],
    pub(super) status: u32,
    /// The guest's memory after the call.
    pub(super) memory: &'a [u8],
    /// The size of the memory before the call, in bytes.
    pub(super) memory_before: usize,
    /// The core values as the script has them.
    pub(super) script: &'a [Lane],
    pub(super) version: Version,
    /// The plugin has a limit, which the call may exceed.
    pub(super) limited: bool,
    /// The guest's allocator may not give enough memory.
    pub(super) may_lack_memory: bool,
}

/// Whether a call's pointers are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pointers {
    Valid,
    /// Zero bytes out of bounds; the specification does not say whether that is a fault.
    Unspecified,
    OutOfBounds,
}

impl<'a> Call<'a> {
    pub(super) fn ok(&self) -> bool {
        self.status == 0
    }

    /// Whether the guest's allocator was called.
    pub(super) fn allocated(&self) -> bool {
        let places = self.function.params.iter().enumerate().filter(|(_, param)| param.out && param.lanes.len() == 2);
        let sizes = places.map(|(place, _)| self.lanes[self.at(place) + 1]);
        let is_some = |address: u64| range(self.memory, address, 4).is_some_and(|size| size != [0; 4]);
        self.ok() && self.pointers() == Pointers::Valid && sizes.into_iter().any(is_some)
    }

    /// The index of a parameter's first core value, by the parameter's index in the row.
    fn at(&self, param: usize) -> usize {
        self.function.params[..param].iter().map(|param| param.lanes.len()).sum()
    }

    /// The bits of a parameter of one core value.
    pub(super) fn number(&self, param: usize) -> u64 {
        self.lanes[self.at(param)]
    }

    pub(super) fn word(&self, param: usize) -> u32 {
        self.number(param) as u32
    }

    /// The bytes of a parameter. What the script put into memory is what the call read, even if it was overwritten since.
    pub(super) fn bytes(&self, param: usize) -> &'a [u8] {
        let at = self.at(param);
        match &self.script[at] {
            Lane::Address(data) => &data.0,
            _ => range(self.memory, self.lanes[at], self.lanes[at + 1]).unwrap_or_default(),
        }
    }

    /// The pieces of WASI's array, if it is where the script put it.
    pub(super) fn pieces(&self, param: usize) -> Option<&'a [Data]> {
        match &self.script[self.at(param)] {
            Lane::Iovecs(pieces) => Some(pieces),
            _ => None,
        }
    }

    /// Whether the pointers are valid, but for those of functions whose sizes are not among the arguments.
    pub(super) fn pointers(&self) -> Pointers {
        let mut lanes = self.lanes.iter().copied();
        let mut worst = Pointers::Valid;
        for param in self.function.params {
            let validity = match (param.out, param.kind, param.lanes.len()) {
                (true, ..) => lanes.by_ref().take(param.lanes.len()).map(|address| self.writable(param, address)).max(),
                (false, Kind::Bytes | Kind::Pairs | Kind::Path, _) => {
                    let (address, size) = (lanes.next(), lanes.next());
                    address.zip(size).map(|(address, size)| self.readable(address, size))
                }
                (false, Kind::Iovecs, _) => {
                    let (address, count) = (lanes.next(), lanes.next());
                    address.zip(count).map(|(address, count)| self.readable(address, (count & 0xFFFF_FFFF) * 8))
                }
                (false, _, count) => {
                    lanes.by_ref().take(count).for_each(drop);
                    None
                }
            };
            worst = worst.max(validity.unwrap_or(Pointers::Valid));
        }
        worst
    }

    fn writable(&self, param: &Param, address: u64) -> Pointers {
        let size = if matches!(param.kind, Kind::U64 | Kind::I64) { 8 } else { 4 };
        // The one function whose results are optional.
        let optional = self.function.section == "foreign_function_interface" && address == 0;
        if optional { Pointers::Unspecified } else { self.readable(address, size) }
    }

    pub(super) fn readable(&self, address: u64, size: u64) -> Pointers {
        match address + size <= self.memory_before as u64 {
            true => Pointers::Valid,
            false if size == 0 => Pointers::Unspecified,
            false => Pointers::OutOfBounds,
        }
    }

    /// Whether what the call wrote overlaps with what it read or wrote elsewhere, so that it cannot be checked.
    pub(super) fn overlaps(&self) -> bool {
        let raw = |at: usize| matches!(self.script.get(at), Some(Lane::Bits(_) | Lane::Register(_)));
        let mut at = 0;
        let mut read: Vec<(u64, u64)> = Vec::new();
        let mut written: Vec<(u64, u64)> = Vec::new();
        for param in self.function.params {
            let lanes = at..at + param.lanes.len();
            at = lanes.end;
            match (param.out, param.kind) {
                (true, _) => written.extend(lanes.clone().filter(|at| raw(*at)).map(|at| (self.lanes[at], 8))),
                (false, _) if lanes.len() == 2 && raw(lanes.start) => {
                    read.push((self.lanes[lanes.start], self.lanes[lanes.start + 1]));
                }
                _ => {}
            }
        }
        let overlap = |one: &(u64, u64), other: &(u64, u64)| one.0 < other.0 + other.1 && other.0 < one.0 + one.1;
        written.iter().enumerate().any(|(index, one)| {
            read.iter().any(|other| overlap(one, other)) || written[index + 1..].iter().any(|other| overlap(one, other))
        })
    }

    /// Which lanes are addresses of what the call returns.
    fn places(&self) -> impl Iterator<Item = usize> {
        let mut at = 0;
        self.function.params.iter().flat_map(move |param| {
            let lanes = at..at + param.lanes.len();
            at = lanes.end;
            lanes.filter(|_| param.out)
        })
    }

    /// The specification requires one of these statuses.
    pub(super) fn is(&self, statuses: &[u32]) -> Judged {
        let internal = self.limited && self.status == Status::INTERNAL_FAILURE.0;
        let fault = self.may_lack_memory && self.status == self.fault();
        if statuses.contains(&self.status) || internal || fault {
            return Ok(());
        }
        let name = self.function.status_name(self.status);
        let actual = name.map_or_else(|| self.status.to_string(), str::to_owned);
        Err(Box::new(Wrong { statuses: statuses.to_vec(), returned: None, actual, open: false }))
    }

    /// The specification leaves it open, and the reference host has chosen one of these.
    pub(super) fn chosen(&self, statuses: &[u32]) -> Judged {
        opened(self.is(statuses))
    }

    /// Any status that the specification promises, or one that rejects the call.
    pub(super) fn promised(&self) -> Judged {
        let rejections: &[u32] = match self.function.returns {
            Returns::Status => &[Status::BAD_ARGUMENT.0, Status::INTERNAL_FAILURE.0, Status::UNIMPLEMENTED.0, 1],
            _ => &[Errno::NOTSUP.0, Errno::INVAL.0],
        };
        let promises = self.function.promises(self.version).map(|promise| promise.value);
        self.is(&promises.chain(rejections.iter().copied()).collect::<Vec<_>>())
    }

    /// The status that says that a pointer is not valid.
    pub(super) fn fault(&self) -> u32 {
        match self.function.returns {
            Returns::Errno => Errno::FAULT.0,
            _ => Status::INVALID_MEMORY_ACCESS.0,
        }
    }

    /// The status of a call that the plugin may not make.
    pub(super) fn restricted(&self) -> Judged {
        match self.function.returns {
            Returns::Nothing => Ok(()),
            Returns::Errno => self.is(&[Errno::NOTSUP.0]),
            _ => self.is(&[Status::INTERNAL_FAILURE.0]),
        }
    }

    /// The number that was returned through a parameter of one core value.
    pub(super) fn returned(&self, param: usize) -> u64 {
        let wide = matches!(self.function.params[param].kind, Kind::U64 | Kind::I64);
        let bytes = range(self.memory, self.number(param), if wide { 8 } else { 4 }).unwrap_or_default();
        bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// A call that succeeded must have returned this number.
    pub(super) fn returns(&self, param: usize, want: u64) -> Judged {
        let seen = self.returned(param);
        if !self.ok() || seen == want {
            return Ok(());
        }
        self.wrong_value(param, Returned::Number(want), seen.to_string())
    }

    /// A call that succeeded must have returned these bytes, within the guest's memory.
    pub(super) fn returns_bytes(&self, param: usize, want: &[u8]) -> Judged {
        if !self.ok() {
            return Ok(());
        }
        let at = self.at(param);
        let word = |lane: u64| range(self.memory, lane, 4).and_then(|bytes| bytes.first_chunk()).copied();
        let word = |lane: u64| word(lane).map_or(0, u32::from_le_bytes);
        let (pointer, size) = (word(self.lanes[at]), word(self.lanes[at + 1]));
        // An allocator may give the memory to which the pointer, the size and other values are written.
        let overwritten = |lane: u64| lane < u64::from(pointer) + u64::from(size) && u64::from(pointer) < lane + 8;
        if self.may_lack_memory && self.places().any(|place| overwritten(self.lanes[place])) {
            return Ok(());
        }
        // The pointer to an empty value may be anything; the reference host does not ask the allocator for nothing.
        let seen = if size == 0 { Some(&[][..]) } else { range(self.memory, pointer.into(), size.into()) };
        if seen == Some(want) {
            return match size == 0 && pointer != 0 {
                true => {
                    opened(self.wrong_value(param, Returned::Bytes(want.into()), format!("{pointer:#x} and no bytes")))
                }
                false => Ok(()),
            };
        }
        let seen = seen.map_or_else(|| format!("{pointer:#x}+{size:#x}"), |seen| Data::from(seen).to_string());
        self.wrong_value(param, Returned::Bytes(want.into()), seen)
    }

    pub(super) fn wrong_value(&self, param: usize, want: Returned, actual: String) -> Judged {
        let returned = Some((self.function.params[param].name, want));
        Err(Box::new(Wrong { statuses: vec![self.status], returned, actual, open: false }))
    }

    /// A call that fails must not have written anything.
    pub(super) fn untouched(&self) -> Judged {
        if self.ok() {
            return Ok(());
        }
        let mut at = 0;
        for (place, param) in self.function.params.iter().enumerate() {
            for lane in at..at + param.lanes.len() {
                if let Lane::Slot(size @ ..=8) = self.script[lane]
                    && range(self.memory, self.lanes[lane], size.into())
                        .is_none_or(|bytes| bytes.iter().any(|b| *b != 0xFF))
                {
                    return opened(self.wrong_value(place, Returned::Untouched, "written".to_owned()));
                }
            }
            at += param.lanes.len();
        }
        Ok(())
    }
}

/// Marks what is wrong as an open question.
fn opened(judged: Judged) -> Judged {
    judged.map_err(|mut wrong| {
        wrong.open = true;
        wrong
    })
}

pub(super) fn range(memory: &[u8], address: u64, size: u64) -> Option<&[u8]> {
    memory.get(address as usize..)?.get(..size as usize)
}
