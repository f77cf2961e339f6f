//! The keys and values of a model file, held about as compactly as they stand in it.
//!
//! Must not allocate one object per array element: a vocabulary has hundreds of thousands.

use super::GgufError;
use super::source::Source;
use std::collections::BTreeMap;
use std::io::Read;

/// The most keys; real files have under a hundred.
const MAX_KEYS: u64 = 4096;
/// The longest key in bytes.
const MAX_KEY: u64 = 1024;
/// The longest string in bytes; chat templates have tens of thousands.
const MAX_STRING: u64 = 16 << 20;
/// The most strings in an array; the largest vocabularies have a quarter of a million.
const MAX_STRINGS: u64 = 4 << 20;

/// Strings one behind the other in one allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StringList {
    text: String,
    ends: Vec<u32>,
}

impl StringList {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all strings together.
    pub fn text_len(&self) -> usize {
        self.text.len()
    }

    /// The string at `index`.
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|i| self.ends.get(i)).copied().unwrap_or(0);
        self.text.get(start as usize..end as usize)
    }

    /// All strings in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|i| self.get(i).expect("the index is below the length"))
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(u32::try_from(self.text.len()).expect("a header has fewer than 2^32 bytes"));
    }
}

impl<'a> FromIterator<&'a str> for StringList {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        let mut list = Self::default();
        texts.into_iter().for_each(|text| list.push(text));
        list
    }
}

/// The kinds of number in the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    Bool,
}

impl Kind {
    fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Bool,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            _ => return None,
        })
    }

    const fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    const fn is_integer(self) -> bool {
        !matches!(self, Self::F32 | Self::F64 | Self::Bool)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::F32 | Self::F64 => "float",
            _ => "integer",
        }
    }

    /// The number in `bytes` (of [`Self::size`]) as an integer; floats give `None`. Every integer kind fits an i128.
    fn integer(self, bytes: &[u8]) -> Option<i128> {
        Some(match self {
            Self::U8 | Self::Bool => u8::from_le_bytes(bytes.try_into().ok()?).into(),
            Self::I8 => i8::from_le_bytes(bytes.try_into().ok()?).into(),
            Self::U16 => u16::from_le_bytes(bytes.try_into().ok()?).into(),
            Self::I16 => i16::from_le_bytes(bytes.try_into().ok()?).into(),
            Self::U32 => u32::from_le_bytes(bytes.try_into().ok()?).into(),
            Self::I32 => i32::from_le_bytes(bytes.try_into().ok()?).into(),
            Self::U64 => u64::from_le_bytes(bytes.try_into().ok()?).into(),
            Self::I64 => i64::from_le_bytes(bytes.try_into().ok()?).into(),
            Self::F32 | Self::F64 => return None,
        })
    }

    /// The number in `bytes` as a float; integers give `None`.
    fn float(self, bytes: &[u8]) -> Option<f32> {
        match self {
            Self::F32 => Some(f32::from_le_bytes(bytes.try_into().ok()?)),
            Self::F64 => Some(f64::from_le_bytes(bytes.try_into().ok()?) as f32),
            _ => None,
        }
    }
}

/// One value; numbers stay in the bytes they came in.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(Kind, Vec<u8>),
    String(String),
    Numbers(Kind, Vec<u8>),
    Strings(StringList),
}

impl Value {
    fn word(&self) -> String {
        match self {
            Self::Number(kind, _) => kind.word().to_owned(),
            Self::String(_) => "string".to_owned(),
            Self::Numbers(kind, _) => format!("array of {}s", kind.word()),
            Self::Strings(_) => "array of strings".to_owned(),
        }
    }
}

/// All keys of a file. Getters give `Ok(None)` where the key is absent and an error where its value has another type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata(BTreeMap<String, Value>);

impl Metadata {
    /// Reads `count` keys.
    pub(super) fn read<R: Read>(source: &mut Source<'_, R>, count: u64) -> Result<Self, GgufError> {
        if count > MAX_KEYS {
            return Err(GgufError::header(16, format!("{count} metadata keys; at most {MAX_KEYS} are allowed")));
        }
        let mut all = BTreeMap::new();
        for index in 0..count {
            source.check_cancel()?;
            let at = source.at();
            let key = source.string(&format!("metadata key {index} of {count}"), MAX_KEY)?;
            let value = read_value(source, &key)?;
            if all.contains_key(&key) {
                return Err(GgufError::header(at, format!("metadata key `{key}` stands there twice")));
            }
            all.insert(key, value);
        }
        Ok(Self(all))
    }

    /// Whether the key is there, with whatever value.
    pub fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// All keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// An integer of any width that fits.
    pub fn u32(&self, key: &str) -> Result<Option<u32>, GgufError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let Value::Number(kind, bytes) = value else { return Err(wrong(key, "integer", value)) };
        if !kind.is_integer() {
            return Err(wrong(key, "integer", value));
        }
        let number = kind.integer(bytes).ok_or_else(|| wrong(key, "integer", value))?;
        let fits = u32::try_from(number).map_err(|_| GgufError::key(key, format!("{number} is not in 0..2^32")))?;
        Ok(Some(fits))
    }

    /// A finite float.
    pub fn f32(&self, key: &str) -> Result<Option<f32>, GgufError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let Value::Number(kind, bytes) = value else { return Err(wrong(key, "float", value)) };
        let number = kind.float(bytes).ok_or_else(|| wrong(key, "float", value))?;
        if !number.is_finite() {
            return Err(GgufError::key(key, format!("{number} is not a finite number")));
        }
        Ok(Some(number))
    }

    /// A bool.
    pub fn bool(&self, key: &str) -> Result<Option<bool>, GgufError> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::Number(Kind::Bool, bytes)) => Ok(Some(bytes.as_slice() != [0])),
            Some(value) => Err(wrong(key, "bool", value)),
        }
    }

    /// A string.
    pub fn str(&self, key: &str) -> Result<Option<&str>, GgufError> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(value) => Err(wrong(key, "string", value)),
        }
    }

    /// An array of strings.
    pub fn strings(&self, key: &str) -> Result<Option<&StringList>, GgufError> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::Strings(list)) => Ok(Some(list)),
            Some(value) => Err(wrong(key, "array of strings", value)),
        }
    }

    /// An array of integers that all fit; also of bools, as 0 and 1.
    pub fn u32s(&self, key: &str) -> Result<Option<Vec<u32>>, GgufError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let Value::Numbers(kind, bytes) = value else { return Err(wrong(key, "array of integers", value)) };
        let mut out = Vec::with_capacity(bytes.len() / kind.size());
        for (index, item) in bytes.chunks_exact(kind.size()).enumerate() {
            let number = kind.integer(item).ok_or_else(|| wrong(key, "array of integers", value))?;
            out.push(
                u32::try_from(number)
                    .map_err(|_| GgufError::key(key, format!("element {index} is {number}, not in 0..2^32")))?,
            );
        }
        Ok(Some(out))
    }

    /// An array of finite floats.
    pub fn f32s(&self, key: &str) -> Result<Option<Vec<f32>>, GgufError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let Value::Numbers(kind, bytes) = value else { return Err(wrong(key, "array of floats", value)) };
        let mut out = Vec::with_capacity(bytes.len() / kind.size());
        for (index, item) in bytes.chunks_exact(kind.size()).enumerate() {
            let number = kind.float(item).ok_or_else(|| wrong(key, "array of floats", value))?;
            if !number.is_finite() {
                return Err(GgufError::key(key, format!("element {index} is {number}, not a finite number")));
            }
            out.push(number);
        }
        Ok(Some(out))
    }
}

fn wrong(key: &str, wanted: &str, value: &Value) -> GgufError {
    GgufError::key(key, format!("{wanted} expected, {} found", value.word()))
}

fn read_value<R: Read>(source: &mut Source<'_, R>, key: &str) -> Result<Value, GgufError> {
    let what = format!("value of key `{key}`");
    let at = source.at();
    let code = source.u32(&what)?;
    match code {
        8 => Ok(Value::String(source.string(&what, MAX_STRING)?)),
        9 => read_array(source, &what),
        _ => {
            let kind = Kind::from_code(code).ok_or_else(|| unknown_type(at, &what, code))?;
            let at = source.at();
            let bytes = source.bytes(&what, kind.size() as u64)?;
            check_bools(kind, &bytes, at, &what)?;
            Ok(Value::Number(kind, bytes))
        }
    }
}

fn read_array<R: Read>(source: &mut Source<'_, R>, what: &str) -> Result<Value, GgufError> {
    let at = source.at();
    let code = source.u32(what)?;
    let count_at = source.at();
    let count = source.u64(what)?;
    if code == 8 {
        if count > MAX_STRINGS {
            let problem = format!("{what} says it has {count} strings; at most {MAX_STRINGS} are allowed");
            return Err(GgufError::header(count_at, problem));
        }
        // Each string has at least its length in front of it: refuse before reserving room for them.
        source.demand(what, count.saturating_mul(8))?;
        let mut list = StringList::default();
        list.ends.reserve_exact(usize::try_from(count).expect("at most MAX_STRINGS"));
        for index in 0..count {
            if index % 4096 == 0 {
                source.check_cancel()?;
            }
            list.push(&source.string(what, MAX_STRING)?);
        }
        list.text.shrink_to_fit();
        return Ok(Value::Strings(list));
    }
    if code == 9 {
        return Err(GgufError::header(at, format!("{what} is an array of arrays, which no known model needs")));
    }
    let kind = Kind::from_code(code).ok_or_else(|| unknown_type(at, what, code))?;
    let needed = count.checked_mul(kind.size() as u64).ok_or_else(|| {
        GgufError::header(count_at, format!("{what} says it has {count} elements, more than can be counted in bytes"))
    })?;
    let data_at = source.at();
    let bytes = source.bytes(what, needed)?;
    check_bools(kind, &bytes, data_at, what)?;
    Ok(Value::Numbers(kind, bytes))
}

fn unknown_type(at: u64, what: &str, code: u32) -> GgufError {
    GgufError::header(at, format!("{what} has the unknown type {code}"))
}

fn check_bools(kind: Kind, bytes: &[u8], at: u64, what: &str) -> Result<(), GgufError> {
    match bytes.iter().position(|b| *b > 1) {
        Some(index) if kind == Kind::Bool => {
            Err(GgufError::header(at + index as u64, format!("{what} has a bool that is neither 0 nor 1")))
        }
        _ => Ok(()),
    }
}
