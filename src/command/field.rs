//! `Field`: how a command's fields are read from argument values and written back.
//!
//! Must round-trip: `read` must give back the field that `write` was given.

use super::arg::Value;
use super::values::{ExamineWhat, InfoTopic, SampleRef, Times};
use crate::domain::{BreakAt, Mode, Name};

/// The values of a command's arguments in the table's order, `None` for those left out. Fields consume them one by one.
pub type Values = std::vec::IntoIter<Option<Value>>;

/// A field of a command. Most take one argument; a field may take several that only make sense together.
pub trait Field: Sized {
    /// Takes its share of `values`; `None` if they are missing or inconsistent.
    fn read(values: &mut Values) -> Option<Self>;

    /// Adds its values, as many as it takes.
    fn write(&self, values: &mut Vec<Option<Value>>);
}

/// Fields that are one value each.
macro_rules! one_value {
    ($($field:ty: $variant:ident($($part:ident),+) = $whole:tt;)+) => {$(
        impl Field for $field {
            fn read(values: &mut Values) -> Option<Self> {
                if let Value::$variant($($part),+) = values.next()?? { Some($whole) } else { None }
            }

            fn write(&self, values: &mut Vec<Option<Value>>) {
                let $whole = self.clone();
                values.push(Some(Value::$variant($($part),+)));
            }
        }
    )+};
}

one_value! {
    String: Text(text) = text;
    Name: Name(name) = name;
    (Name, Name): Pair(node, answer) = (node, answer);
    (Name, f64): Threshold(name, value) = (name, value);
    BreakAt: Break(at) = at;
    SampleRef: Sample(sample) = sample;
    u32: Number(number) = number;
}

/// An argument that may be left out.
impl<T: Field> Field for Option<T> {
    fn read(values: &mut Values) -> Option<Self> {
        match values.as_slice().first()? {
            None => values.next().map(|_| None),
            Some(_) => T::read(values).map(Some),
        }
    }

    fn write(&self, values: &mut Vec<Option<Value>>) {
        match self {
            None => values.push(None),
            Some(field) => field.write(values),
        }
    }
}

impl Field for Times {
    fn read(values: &mut Values) -> Option<Self> {
        Option::<u32>::read(values).map(|count| Self(count.unwrap_or(1)))
    }

    fn write(&self, values: &mut Vec<Option<Value>>) {
        (self.0 != 1).then_some(self.0).write(values);
    }
}

impl Field for InfoTopic {
    fn read(values: &mut Values) -> Option<Self> {
        if let Value::Word(word) = values.next()?? { Self::from_word(word) } else { None }
    }

    fn write(&self, values: &mut Vec<Option<Value>>) {
        values.push(Some(Value::Word(self.as_str())));
    }
}

/// MODE and TOKENS.
impl Field for Mode {
    fn read(values: &mut Values) -> Option<Self> {
        let Value::Word(word) = values.next()?? else { return None };
        match (word, Option::<u32>::read(values)?) {
            ("direct", None) => Some(Self::Direct),
            ("rationale", tokens) => {
                Some(Self::Rationale { max_tokens: tokens.unwrap_or(Self::DEFAULT_RATIONALE_TOKENS) })
            }
            _ => None,
        }
    }

    fn write(&self, values: &mut Vec<Option<Value>>) {
        let (word, tokens) = match self {
            Self::Direct => ("direct", None),
            Self::Rationale { max_tokens } => ("rationale", Some(Value::Number(*max_tokens))),
        };
        values.extend([Some(Value::Word(word)), tokens]);
    }
}

/// WHAT, K and @POSITION.
impl Field for ExamineWhat {
    fn read(values: &mut Values) -> Option<Self> {
        let what = match values.next()? {
            Some(Value::Word(word)) => Some(word),
            None => None,
            Some(_) => return None,
        };
        match (what, Option::<u32>::read(values)?, Option::<u32>::read(values)?) {
            (Some("top"), k, position) => Some(Self::Top { k: k.unwrap_or(Self::DEFAULT_TOP), position }),
            (None, Some(k), position) => Some(Self::Top { k, position }),
            (Some("prompt") | None, None, None) => Some(Self::Prompt),
            (Some("tokens"), None, None) => Some(Self::Tokens),
            _ => None,
        }
    }

    fn write(&self, values: &mut Vec<Option<Value>>) {
        let (k, position) = match self {
            Self::Prompt | Self::Tokens => (None, None),
            Self::Top { k, position } => (Some(*k), *position),
        };
        values.push(Some(Value::Word(self.as_str())));
        values.extend([k, position].map(|n| n.map(Value::Number)));
    }
}
