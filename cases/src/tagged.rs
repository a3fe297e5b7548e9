//! Enums that are JSON objects with a key that names the variant, read without keeping the object first.
//!
//! What serde derives for them reads the whole object into a tree, then the variant out of it, and does so again for each such enum within.
//! Here the key is read first, since everybody writes it first; if it comes later, the object is read into a tree, too.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// Declares an enum of which each variant is an object with its name, in snake case, at a key. Unknown keys are errors.
macro_rules! tagged {
    ($key:literal $(#[$attribute:meta])* $visibility:vis enum $name:ident = $text:literal { $($variants:tt)* }) => {
        $(#[$attribute])*
        #[derive(serde::Serialize, schemars::JsonSchema)]
        #[serde(tag = $key, rename_all = "snake_case", deny_unknown_fields)]
        $visibility enum $name { $($variants)* }

        const _: () = {
            #[derive(serde::Deserialize)]
            #[serde(remote = $text, rename_all = "snake_case", deny_unknown_fields)]
            enum Variants { $($variants)* }

            impl $crate::tagged::Variant for $name {
                const KEY: &'static str = $key;

                fn read<'de, D: serde::Deserializer<'de>>(variant: D) -> Result<$name, D::Error> {
                    Variants::deserialize(variant)
                }
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                    $crate::tagged::read(deserializer)
                }
            }
        };
    };
}
pub(crate) use tagged;

/// An enum that [`tagged`] declares.
pub(crate) trait Variant: Sized {
    /// The key that names the variant.
    const KEY: &'static str;

    /// Reads it where the name of the variant is outside of its fields.
    ///
    /// # Errors
    ///
    /// There is no such variant, or the fields are not its fields.
    fn read<'de, D: Deserializer<'de>>(variant: D) -> Result<Self, D::Error>;
}

/// Reads the object.
///
/// # Errors
///
/// It is not an object, does not name a variant, or the other keys are not those of the variant.
pub(crate) fn read<'de, T: Variant, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(Tagged(PhantomData))
}

struct Tagged<T>(PhantomData<T>);

impl<'de, T: Variant> Visitor<'de> for Tagged<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "an object with the key `{}`", T::KEY)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<T, A::Error> {
        let Some(key) = fields.next_key::<String>()? else { return Err(Error::missing_field(T::KEY)) };
        if key == T::KEY {
            let name = fields.next_value()?;
            return T::read(Named { name, fields });
        }
        let mut kept = vec![(key, fields.next_value::<Value>()?)];
        while let Some(field) = fields.next_entry()? {
            kept.push(field);
        }
        let place = kept.iter().position(|(key, _)| key == T::KEY);
        let (_, name) = kept.remove(place.ok_or_else(|| Error::missing_field(T::KEY))?);
        let Value::String(name) = name else {
            return Err(Error::custom(format!("`{}` is not a string", T::KEY)));
        };
        T::read(Named { name, fields: MapDeserializer::new(kept.into_iter()) })
            .map_err(|error: serde_json::Error| Error::custom(error))
    }
}

/// A variant: its name, and an object with its fields that is read on.
struct Named<A> {
    name: String,
    fields: A,
}

impl<'de, A: MapAccess<'de>> Deserializer<'de> for Named<A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Named<A> {
    type Error = A::Error;
    type Variant = Fields<A>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Fields<A>), A::Error> {
        Ok((seed.deserialize(StringDeserializer::new(self.name))?, Fields(self.fields)))
    }
}

struct Fields<A>(A);

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Fields<A> {
    type Error = A::Error;

    fn unit_variant(mut self) -> Result<(), A::Error> {
        match self.0.next_entry::<String, IgnoredAny>()? {
            Some((key, _)) => Err(Error::custom(format!("unknown field `{key}`, expected none"))),
            None => Ok(()),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        seed.deserialize(MapAccessDeserializer::new(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_map(self.0)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_map(self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    tagged! {
        "kind"
        /// Of every form that the protocol has.
        #[derive(Debug, PartialEq)]
        enum Message = "Message" {
            /// Without fields.
            Nothing,
            /// With fields.
            Some {
                /// One.
                one: u32,
                /// Another.
                #[serde(default)]
                inner: Vec<Message>,
            },
        }
    }

    #[test]
    fn the_key_may_stand_anywhere() {
        let inner = || vec![Message::Nothing, Message::Some { one: 2, inner: Vec::new() }];
        for text in [
            r#"{"kind":"some","one":1,"inner":[{"kind":"nothing"},{"kind":"some","one":2}]}"#,
            r#"{"one":1,"inner":[{"kind":"nothing"},{"one":2,"kind":"some"}],"kind":"some"}"#,
        ] {
            let expected = Message::Some { one: 1, inner: inner() };
            assert_eq!(serde_json::from_str::<Message>(text).ok(), Some(expected), "{text}");
        }
        assert_eq!(json!(Message::Some { one: 1, inner: Vec::new() }), json!({"kind": "some", "one": 1, "inner": []}));
    }

    #[test]
    fn an_object_that_is_no_variant_is_an_error_with_its_reason() {
        for (text, reason) in [
            ("{}", "missing field `kind`"),
            (r#"{"one":1}"#, "missing field `kind`"),
            (r#"{"kind":1}"#, "expected a string"),
            (r#"{"one":1,"kind":1}"#, "`kind` is not a string"),
            (r#"{"kind":"none"}"#, "unknown variant `none`, expected `nothing` or `some`"),
            (r#"{"kind":"some"}"#, "missing field `one`"),
            (r#"{"inner":[],"kind":"some"}"#, "missing field `one`"),
            (r#"{"kind":"some","one":1,"two":2}"#, "unknown field `two`, expected `one` or `inner`"),
            (r#"{"kind":"some","one":1,"kind":"some"}"#, "unknown field `kind`"),
            (r#"{"kind":"nothing","one":1}"#, "unknown field `one`, expected none"),
            ("[]", "an object with the key `kind`"),
        ] {
            let error = serde_json::from_str::<Message>(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
