#!/usr/bin/env python3
"""settings.py [--include PREFIX] FOLDER SCHEMA...

Makes plain C++ of the schemas of one plugin's stages: FOLDER/STAGE_settings.h for each, and
FOLDER/settings.cpp, which fills the structs from checked settings. PREFIX stands before the headers'
names in #include lines. Files whose text stays the same are not touched.

Each form of schemas/README.md has one class here that knows its C++ type, how a default is written,
and which key names it. Only Python's own library is used.
"""

import json
import os
import re
import sys

KEYWORDS = frozenset("""
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl concept const
consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do double dynamic_cast else
enum explicit export extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr
operator or or_eq private protected public register reinterpret_cast requires return short signed sizeof static static_assert
static_cast struct switch template this thread_local throw true try typedef typeid typename union unsigned using virtual void
volatile wchar_t while xor xor_eq linux unix""".split())


class Refusal(Exception):
    pass


def pascal(name):
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))


def identifier(word):
    """A word of an enum, or a setting, as a name of C++."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", word).strip("_").lower() if not re.fullmatch(r"[a-z_][a-z0-9_]*", word) else word
    if not name or name[0].isdigit():
        name = "_" + name if not name else "n" + name
    return name + "_" if name in KEYWORDS else name


def string_literal(text):
    out = ""
    for byte in text.encode():
        char = chr(byte)
        if char in '"\\':
            out += "\\" + char
        elif char == "?":
            out += "\\?"  # no trigraphs
        elif 32 <= byte < 127:
            out += char
        else:
            out += "\\%03o" % byte
    return '"' + out + '"'


class Text:
    key = "SettingKey"

    def __init__(self, path):
        self.type = "std::filesystem::path" if path else "std::string"

    def default(self, value):
        return string_literal(value)


class Number:
    key = "SettingKey"

    def __init__(self, type_name):
        self.type = type_name

    def default(self, value):
        if self.type == "bool":
            return "true" if value else "false"
        if self.type == "std::int64_t":
            whole = int(value)
            return str(whole) if -2**31 < whole < 2**31 else "std::int64_t{%d}" % whole
        return repr(float(value))


class Words:
    """An enum class."""

    key = "SettingKey"

    def __init__(self, unit, words, scope, name):
        self.words = words
        self.names = [identifier(word) for word in words]
        twice = [at for at in self.names if self.names.count(at) > 1]
        if twice:
            raise Refusal("%s: two words of an enum would both be called '%s'" % (name, twice[0]))
        self.type = unit.own(scope, pascal(name), "Word")
        unit.declare(self, "enum class %s { %s };" % (self.type, ", ".join(self.names)))
        unit.words.append(self)

    def default(self, value):
        return "%s::%s" % (self.type, self.names[self.words.index(value)])


class Constant:
    """An empty struct: `Auto` for the word auto, one for all of a stage."""

    key = "SettingKey"

    def __init__(self, unit, word, scope):
        if word in unit.constants:
            self.type = unit.constants[word]
        else:
            self.type = unit.constants[word] = unit.own(None, pascal(identifier(word)), "Word")
            unit.declare(self, "struct %s {\n    static constexpr std::string_view kWord = %s;\n"
                         "    bool operator==(const %s&) const = default;\n};" % (self.type, string_literal(word), self.type))
        if scope:
            scope.alias(pascal(identifier(word)), self.type)

    def default(self, value):
        return self.type + "{}"


class List:
    def __init__(self, item):
        self.item = item
        self.type = "std::vector<%s>" % item.type
        self.key = "::stillroom::ListKey<%s>" % key_type(item)

    def default(self, value):
        return "%s{%s}" % (self.type, ", ".join(self.item.default(at) for at in value))


class OpenMap:
    def __init__(self, name, item):
        self.name, self.item = name, item
        self.type = "std::map<%s, %s>" % (name.type, item.type)
        self.key = "::stillroom::MapKey<%s>" % key_type(item)

    def default(self, value):
        return "%s{%s}" % (self.type, ", ".join("{%s, %s}" % (self.name.default(k), self.item.default(v)) for k, v in value.items()))


class Either:
    def __init__(self, forms, schemas, tag=None):
        self.forms, self.schemas, self.tag = forms, schemas, tag
        self.type = "std::variant<%s>" % ", ".join(form.type for form in forms)
        keys = [form.key for form in forms if form.key != "SettingKey"]
        self.key = "::stillroom::TaggedKey" if tag else (keys[0] if keys else "SettingKey")

    def fits(self, form, schema, value):
        if self.tag:
            return value.get(self.tag) == schema["properties"][self.tag]["const"]
        if isinstance(form, (Words, Constant, Text)):
            return isinstance(value, str)
        if isinstance(form, Number):
            return isinstance(value, bool) == (form.type == "bool") and not isinstance(value, (str, list, dict))
        return isinstance(value, list if isinstance(form, List) else dict)

    def default(self, value):
        for form, schema in zip(self.forms, self.schemas):
            if self.fits(form, schema, value):
                return "%s{%s}" % (self.type, typed(form, value))
        raise Refusal("the default %s is of no form" % json.dumps(value))


def typed(form, value):
    """A default whose type is the form's beyond doubt: a variant must not choose."""
    text = form.default(value)
    return "%s(%s)" % (form.type, text) if isinstance(form, (Text, Number)) else text


class Optional:
    def __init__(self, inner):
        self.inner = inner
        self.type = "std::optional<%s>" % inner.type
        self.key = inner.key

    def default(self, value):
        return "std::nullopt" if value is None else self.inner.default(value)


class Struct:
    """A map of known keys: a struct. The types of its fields stand before it, under its name and theirs; it has aliases for them."""

    def __init__(self, unit, schema, outer, name, facts=(), opening=None):
        self.unit, self.aliases, self.fields = unit, {}, []
        if not outer:
            unit.common = self  # what $defs bring belongs to it
        self.type = unit.own(outer, name, "Map") if outer else name
        self.prefix = self.type if outer else ""
        self.key = self.type + "::Key"
        properties = schema.get("properties", {})
        self.required = schema.get("required", [])
        for key, value in properties.items():
            if "x-port" in value or "const" in value:
                continue
            form = unit.form(value, self, key)
            if key not in self.required and "default" not in value and not isinstance(form, Optional):
                form = Optional(form)
            self.fields.append((key, identifier(key), form, value))
        self.known = [key for key, value in properties.items() if "x-port" not in value]
        lines = unit.comment(opening or schema, "") + ["struct %s {" % self.type]
        lines += ["    " + fact for fact in facts]
        lines += ["    using %s = %s::%s;" % (short, unit.inner, full) for short, full in sorted(self.aliases.items())]
        lines += [""] if (facts or self.aliases) and self.fields else []
        for key, field, form, value in self.fields:
            lines += unit.comment(value, "    ")
            lines.append("    %s %s%s;" % (form.type, field, self.start(form, value)))
        lines += ["", "    /// Their names, for complaints.", "    struct Key : ::stillroom::SettingKey {"]
        names = "".join(
            ",\n              %s(::stillroom::setting_below(*this, %s))" % (field, string_literal(key)) for key, field, _, _ in self.fields)
        lines += ["        explicit Key(std::string kAt%s)" % ("" if outer else " = {}"),
                  "            : SettingKey(std::move(kAt))%s {}" % names]
        lines += ["        %s %s;" % (key_type(form), field) for _, field, form, _ in self.fields]
        lines += ["    };", "};"]
        unit.declare(self, "\n".join(lines))
        unit.structs.append(self)

    @staticmethod
    def start(form, value):
        if value.get("default") is not None and not (isinstance(form, Struct) and value["default"] == {}):
            return " = " + form.default(value["default"])
        return "{}" if isinstance(form, (Number, Words)) else ""

    def alias(self, short, full):
        self.aliases[short] = full

    def default(self, value):
        sets = "".join(
            "value.%s = %s; " % (field, form.default(value[key])) for key, field, form, _ in self.fields if key in value)
        return "[] { %s value; %sreturn value; }()" % (self.type, sets) if sets else self.type + "{}"


def key_type(form):
    return "::stillroom::SettingKey" if form.key == "SettingKey" else form.key


class Unit:
    """One stage."""

    def __init__(self, schema):
        self.schema = schema
        self.plugin, self.stage = schema["title"].split(".", 1)
        self.inner = self.stage + "_settings"
        self.words, self.structs, self.constants, self.shared = [], [], {}, {}
        self.declared, self.used, self.open = [], set(), []
        self.name = pascal(self.stage) + "Settings"
        self.used.add(self.name)
        self.root = Struct(self, schema, None, self.name, [
            "static constexpr std::string_view kStage = %s;" % string_literal(schema["title"])])

    def own(self, scope, name, ending):
        """A name of no other type: that of the struct it is in, then its own. The struct gets an alias."""
        full = (scope.prefix if scope else "") + name
        while full in self.used or full == "Key" or (scope and name in scope.aliases):
            full, name = full + ending, name + ending
        self.used.add(full)
        if scope:
            scope.alias(name, full)
        return full

    def declare(self, form, text):
        self.declared.append(text)

    def comment(self, schema, indent):
        text = schema.get("description", "")
        unit = schema.get("x-unit")
        if unit and not re.search(r"\b%s\b" % re.escape(unit), text):
            text += " (%s)" % unit
        text = " ".join(text.split()).replace("\\", "\\\\")
        lines, line = [], indent + "///"
        for word in text.split(" "):
            if len(line) + 1 + len(word) > 100 and line.strip() != "///":
                lines.append(line)
                line = indent + "///"
            line += " " + word
        return lines + [line] if text else []

    def form(self, schema, scope, name, path=False):
        """The form of a value; types that it needs come into `scope`."""
        path = path or "x-path" in schema
        if "$ref" in schema:
            return self.reference(schema["$ref"], scope, path)
        if "const" in schema:
            if not isinstance(schema["const"], str):
                raise Refusal("%s: a constant of two forms is text" % name)
            return Constant(self, schema["const"], scope)
        if "enum" in schema:
            return self.words_form(schema["enum"], scope, name)
        if "anyOf" in schema:
            forms = [self.form(at, scope, name, path) for at in schema["anyOf"]]
            return Either(forms, schema["anyOf"])
        if "x-tag" in schema:
            return self.tagged(schema, scope, name)
        kind = schema.get("type")
        null = isinstance(kind, list)
        kind = kind[0] if null else kind
        if kind == "string":
            form = Text(path)
        elif kind in ("integer", "number", "boolean"):
            form = Number({"integer": "std::int64_t", "number": "double", "boolean": "bool"}[kind])
        elif kind == "array":
            form = List(self.form(schema["items"], scope, name, path))
        elif kind == "object" and "properties" in schema:
            form = Struct(self, schema, scope, pascal(name))
        elif kind == "object" and isinstance(schema.get("additionalProperties"), dict):
            form = OpenMap(self.names_form(schema.get("propertyNames", {}), scope, name),
                           self.form(schema["additionalProperties"], scope, name, path))
        elif kind == "object":
            form = Struct(self, schema, scope, pascal(name))
        else:
            raise Refusal("%s: no form of the profile: %s" % (name, json.dumps(schema)[:100]))
        return Optional(form) if null else form

    def names_form(self, schema, scope, name):
        """The keys of an open map: an enum where they are."""
        if "$ref" in schema:
            target = self.definition(schema["$ref"])
            return self.reference(schema["$ref"], scope, False) if "enum" in target else Text(False)
        return self.words_form(schema["enum"], scope, name + "_name") if "enum" in schema else Text(False)

    def words_form(self, words, scope, name):
        kinds = {type(word) for word in words}
        if kinds == {str}:
            return Words(self, words, scope, name)
        if kinds == {bool}:
            return Number("bool")
        if kinds == {int}:
            return Number("std::int64_t")
        if kinds <= {int, float}:
            return Number("double")
        raise Refusal("%s: the words of an enum are of one kind" % name)

    def tagged(self, schema, scope, name):
        tag, forms = schema["x-tag"], []
        for branch in schema["oneOf"]:
            if "$ref" in branch:
                raise Refusal("%s: a tagged map stands where it is used" % name)
            word = branch["properties"][tag]["const"]
            text = word if isinstance(word, str) else json.dumps(word)
            forms.append(Struct(self, branch, scope, pascal(identifier(text)), [
                "static constexpr std::string_view kTag = %s;" % string_literal(tag),
                "static constexpr std::string_view kWord = %s;" % string_literal(text)]))
        return Either(forms, schema["oneOf"], tag)

    def definition(self, reference):
        name = reference.rsplit("/", 1)[1]
        if name not in self.schema.get("$defs", {}):
            raise Refusal("%s: there is no $defs/%s" % (reference, name))
        return self.schema["$defs"][name]

    def reference(self, reference, scope, path):
        """One type for all that refer to it."""
        name = reference.rsplit("/", 1)[1]
        if (name, path) not in self.shared:
            if name in self.open:
                raise Refusal("$defs/%s contains itself" % name)
            self.open.append(name)
            self.shared[name, path] = self.form(self.definition(reference), self.common, name, path)
            self.open.pop()
        return self.shared[name, path]

    def header(self, source):
        lines = ["// Made from %s. Change that file instead." % source, "#pragma once", "",
                 '#include "engine/plugin/settings.h"', "", "namespace stillroom::%s {" % self.plugin,
                 "namespace %s {" % self.inner, ""]
        for text in self.declared:
            lines += [text, ""]
        lines += ["/// As a recipe writes it."] if self.words else []
        lines += ["std::string_view word(%s value);" % at.type for at in self.words]
        lines += ["void read_setting(const SettingReader& in, %s& out);" % self.name, "",
                  "}  // namespace %s" % self.inner, "using %s::%s;" % (self.inner, self.name),
                  "}  // namespace stillroom::%s" % self.plugin, ""]
        return "\n".join(lines)

    def source(self):
        lines = ["namespace %s {" % self.inner, ""]
        for at in self.words:
            words = ", ".join(string_literal(word) for word in at.words)
            lines += ["std::string_view word(%s value) {" % at.type,
                      "    static constexpr std::string_view kWords[] = {%s};" % words,
                      "    return kWords[static_cast<std::size_t>(value)];", "}",
                      "static void read_setting(const SettingReader& in, %s& out) {" % at.type,
                      "    out = static_cast<%s>(in.word({%s}));" % (at.type, words), "}", ""]
        for at in self.structs:
            inner = at is not self.root
            lines += ["%svoid read_setting(const SettingReader& in, %s& %s) {" % (
                          "static " if inner else "", at.type, "out" if at.fields else ""),
                      "    in.has_only({%s});" % ", ".join(string_literal(key) for key in at.known)]
            lines += ["    in.%s(%s, out.%s);" % ("need" if key in at.required else "take", string_literal(key), field)
                      for key, field, _, _ in at.fields]
            lines += ["}", ""]
        return "\n".join(lines + ["}  // namespace %s" % self.inner, ""])


def write(path, text):
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except FileNotFoundError:
        pass
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main(arguments):
    prefix = ""
    if arguments[:1] == ["--include"] and len(arguments) > 1:
        prefix = arguments[1].rstrip("/") + "/"
        arguments = arguments[2:]
    if len(arguments) < 2 or arguments[0].startswith("-"):
        sys.exit(__doc__.split("\n")[0])
    folder, schemas = arguments[0], arguments[1:]
    units, plugins = [], set()
    for path in schemas:
        try:
            with open(path, encoding="utf-8") as file:
                schema = json.load(file)
            if os.path.basename(path) != schema["title"] + ".schema.json":
                raise Refusal("the title is '%s'" % schema["title"])
            unit = Unit(schema)
        except (OSError, ValueError, KeyError, TypeError, Refusal) as why:
            sys.exit("%s: %s" % (path, why if str(why) else type(why).__name__))
        plugins.add(unit.plugin)
        units.append((unit, os.path.basename(path)))
    if len(plugins) > 1:
        sys.exit("one plugin at a time, not %s" % ", ".join(sorted(plugins)))
    text = "// Made from the schemas of %s.*. Change those instead.\n" % units[0][0].plugin
    for unit, source in units:
        write(os.path.join(folder, unit.inner + ".h"), unit.header(source))
        text += '#include "%s%s.h"\n' % (prefix, unit.inner)
    text += "\nnamespace stillroom::%s {\n\n" % units[0][0].plugin
    text += "".join(unit.source() + "\n" for unit, _ in units)
    write(os.path.join(folder, "settings.cpp"), text + "}  // namespace stillroom::%s\n" % units[0][0].plugin)


if __name__ == "__main__":
    main(sys.argv[1:])
