//! Memory as separate objects at addresses far from each other. Invariant: an access
//! that is not wholly inside one live object is refused.

/// Address of the first object; lower addresses are never valid.
const BASE: u64 = 0x1000_0000_0000;
/// Distance between objects.
const STRIDE: u64 = 0x1_0000_0000;

/// All objects of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    objects: Vec<Object>,
}

#[derive(Clone, Debug)]
struct Object {
    bytes: Vec<u8>,
    live: bool,
    writable: bool,
}

impl Memory {
    /// A new object; its address.
    pub fn add(&mut self, bytes: Vec<u8>, writable: bool) -> u64 {
        self.objects.push(Object { bytes, live: true, writable });
        BASE + (self.objects.len() as u64 - 1) * STRIDE
    }

    /// Ends an object's life.
    pub fn end(&mut self, address: u64) {
        if let Some((i, _)) = self.find(address) {
            self.objects[i].live = false;
        }
    }

    fn find(&self, address: u64) -> Option<(usize, usize)> {
        let from_base = address.checked_sub(BASE)?;
        let index = usize::try_from(from_base / STRIDE).ok()?;
        (index < self.objects.len()).then_some((index, (from_base % STRIDE) as usize))
    }

    /// The `len` bytes at `address`.
    pub fn read(&self, address: u64, len: usize) -> Option<&[u8]> {
        let (i, off) = self.find(address)?;
        let o = &self.objects[i];
        if o.live { o.bytes.get(off..off.checked_add(len)?) } else { None }
    }

    /// The `len` bytes at `address`, to be written.
    pub fn write(&mut self, address: u64, len: usize) -> Option<&mut [u8]> {
        let (i, off) = self.find(address)?;
        let o = &mut self.objects[i];
        if o.live && o.writable { o.bytes.get_mut(off..off.checked_add(len)?) } else { None }
    }

    /// The whole object that begins at `address`.
    pub fn object(&self, address: u64) -> Option<&[u8]> {
        let (i, off) = self.find(address)?;
        (off == 0).then(|| self.objects[i].bytes.as_slice())
    }

    /// A little-endian number of 1, 2, 4 or 8 bytes, zero-extended.
    pub fn number(&self, address: u64, len: usize) -> Option<u64> {
        let bytes = self.read(address, len)?;
        Some(bytes.iter().rev().fold(0, |n, b| (n << 8) | u64::from(*b)))
    }

    /// Writes the low `len` bytes of a number.
    pub fn set_number(&mut self, address: u64, len: usize, n: u64) -> Option<()> {
        self.write(address, len)?.copy_from_slice(&n.to_le_bytes()[..len]);
        Some(())
    }
}
