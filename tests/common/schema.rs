//! The part of JSON Schema that the schemas in `docs/` use, to check what the program writes against them.
//!
//! Must be stricter than JSON Schema in one point: a member that the schema does not describe is an error, because then
//! the schema is out of date. Must not ignore a keyword that it does not know.

use serde_json::Value;

/// Reports where `value` does not match `schema`; `root` holds the definitions.
pub fn misfit(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let Some(keywords) = schema.as_object() else { return Err(format!("{at}: no schema for it")) };
    for (keyword, rule) in keywords {
        let holds = match keyword.as_str() {
            "$schema" | "$id" | "title" | "description" | "$defs" | "default" | "format" => true,
            "$ref" => {
                let name = rule.as_str().and_then(|r| r.strip_prefix("#/$defs/")).unwrap_or_default();
                misfit(root, &root["$defs"][name], value, at)?;
                true
            }
            "type" => match rule {
                Value::Array(types) => types.iter().any(|t| is_of_type(value, t)),
                one => is_of_type(value, one),
            },
            "const" => value == rule,
            "enum" => rule.as_array().is_some_and(|allowed| allowed.contains(value)),
            "minimum" => value.as_f64().is_none_or(|v| rule.as_f64().is_some_and(|least| v >= least)),
            "maximum" => value.as_f64().is_none_or(|v| rule.as_f64().is_some_and(|most| v <= most)),
            "minLength" => value.as_str().is_none_or(|v| rule.as_u64().is_some_and(|n| v.chars().count() as u64 >= n)),
            "maxLength" => value.as_str().is_none_or(|v| rule.as_u64().is_some_and(|n| v.chars().count() as u64 <= n)),
            "pattern" => value.as_str().is_none_or(|v| matches(rule.as_str().unwrap_or_default(), v)),
            "required" => {
                let has = |name: &Value| name.as_str().is_some_and(|n| value.get(n).is_some());
                !value.is_object() || rule.as_array().is_some_and(|names| names.iter().all(has))
            }
            "properties" | "additionalProperties" => {
                members(root, keywords, value, at)?;
                true
            }
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    misfit(root, rule, item, &format!("{at}[{number}]"))?;
                }
                true
            }
            // Stricter than JSON Schema: exactly one alternative fits, under either name.
            "oneOf" | "anyOf" => {
                let alternatives = rule.as_array().map_or(&[] as &[_], Vec::as_slice);
                let faults: Vec<String> =
                    alternatives.iter().filter_map(|one| misfit(root, one, value, at).err()).collect();
                if alternatives.len() - faults.len() != 1 {
                    return Err(format!("{at} fits {} of:\n{}", alternatives.len() - faults.len(), faults.join("\n")));
                }
                true
            }
            other => return Err(format!("{at}: the keyword {other} is not known here")),
        };
        if !holds {
            return Err(format!("{at}: {value} is not `{keyword}` {rule}"));
        }
    }
    Ok(())
}

fn members(root: &Value, keywords: &serde_json::Map<String, Value>, value: &Value, at: &str) -> Result<(), String> {
    let described = |name: &str| keywords.get("properties").and_then(|p| p.get(name));
    for (name, member) in value.as_object().into_iter().flatten() {
        let schema = described(name).or_else(|| keywords.get("additionalProperties"));
        let schema = schema.ok_or_else(|| format!("{at}.{name} is not in the schema"))?;
        misfit(root, schema, member, &format!("{at}.{name}"))?;
    }
    Ok(())
}

fn is_of_type(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap_or_default() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let pattern = fancy_regex::Regex::new(pattern).expect("a pattern of ours");
    pattern.is_match(text).expect("a pattern of ours ends")
}
