"""Writes shapes.json: what Jinja2 makes of the template shapes in shapes.txt, set up as chat templates are in Python.

Run `python3 record.py` in this folder, with jinja2 3.1 installed, after shapes.txt was changed.
"""

import datetime
import json

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

TODAY = datetime.datetime(2024, 7, 26)
SYSTEM, USER = "§SYSTEM§", "§USER§"


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = TODAY.strftime
    return env


def render(template, with_system, parts):
    content = lambda text: [{"type": "text", "text": text}] if parts else text
    messages = [{"role": "system", "content": content(SYSTEM)}] if with_system else []
    messages.append({"role": "user", "content": content(USER)})
    return environment().from_string(template).render(
        messages=messages,
        tools=None,
        documents=None,
        add_generation_prompt=True,
        enable_thinking=False,
        bos_token="<s>",
        eos_token="</s>",
    )


def main():
    shapes = []
    for block in open("shapes.txt", encoding="utf-8").read().split("\n=== ")[1:]:
        name, template = block.split("\n", 1)
        parts = name.endswith(" (parts)")
        rendered = [render(template, with_system, parts) for with_system in (True, False)]
        shapes.append({"name": name, "template": template, "with_system": rendered[0], "without": rendered[1]})
    with open("shapes.json", "w", encoding="utf-8") as out:
        json.dump(shapes, out, ensure_ascii=False, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main()
