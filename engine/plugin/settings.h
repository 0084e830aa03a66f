#pragma once

// Between the checked settings of a stage, which come as JSON, and the plain struct that a build
// step makes of the stage's schema (settings.py). A stage's author uses the struct and its keys:
//
//     if (settings_.target && settings_.target->params < smallest)
//         context.refuse(Settings::Key().target.params, "...", "...");
//
// and, in a test, settings_of<MinitronSettings>(R"({"target": {"params": 6e9}})"). The rest of this
// file serves the made code. What is read here was checked before, so a value that does not fit
// means that the plugin was built from another schema: an Error that says so.

#include "engine/base/api.h"
#include "engine/base/json_value.h"

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace stillroom {

/// The dotted name of a setting, "target.params".
class STILLROOM_API SettingKey {
public:
    explicit SettingKey(std::string text) : text_(std::move(text)) {}
    operator std::string_view() const { return text_; }
    operator const std::string&() const { return text_; }

private:
    std::string text_;
};

STILLROOM_API std::string setting_below(std::string_view key, std::string_view name);
STILLROOM_API std::string setting_item(std::string_view key, std::size_t index);

/// key[2] is an item's.
template <class Item>
class ListKey : public SettingKey {
public:
    using SettingKey::SettingKey;
    Item operator[](std::size_t index) const { return Item(setting_item(*this, index)); }
};

/// key["name"], or key[Hparam::hidden_size].
template <class Item>
class MapKey : public SettingKey {
public:
    using SettingKey::SettingKey;
    Item operator[](std::string_view name) const { return Item(setting_below(*this, name)); }
    template <class Word>
    requires std::is_enum_v<Word> Item operator[](Word name) const {
        return Item(setting_below(*this, word(name)));
    }
};

/// key.as<Cosine>() where maps are told apart by a tag.
class TaggedKey : public SettingKey {
public:
    using SettingKey::SettingKey;
    template <class Branch>
    typename Branch::Key as() const {
        return typename Branch::Key(std::string(*this));
    }
};

/// One value with its key.
class STILLROOM_API SettingReader {
public:
    explicit SettingReader(const Json& value, std::string key = {})
        : value_(value),
          key_(std::move(key)) {}

    const Json& value() const { return value_; }
    const std::string& key() const { return key_; }
    SettingReader item(std::size_t index) const;
    SettingReader member(const Json::Member& member) const;

    /// The built code does not fit the checked settings.
    [[noreturn]] void wrong(std::string_view wanted) const;

    std::size_t word(std::initializer_list<std::string_view> words) const;  ///< which of them
    void has_only(std::initializer_list<std::string_view> names) const;

    /// What is absent keeps the schema's default.
    template <class T>
    void take(std::string_view name, T& out) const {
        if (const Json* found = value_.find(name))
            read_setting(SettingReader(*found, setting_below(key_, name)), out);
    }
    template <class T>
    void need(std::string_view name, T& out) const {
        need_member(name);
        take(name, out);
    }

private:
    void need_member(std::string_view name) const;

    const Json& value_;
    std::string key_;
};

STILLROOM_API void read_setting(const SettingReader& in, bool& out);
STILLROOM_API void read_setting(const SettingReader& in, std::int64_t& out);
STILLROOM_API void read_setting(const SettingReader& in, double& out);
STILLROOM_API void read_setting(const SettingReader& in, std::string& out);
STILLROOM_API void read_setting(const SettingReader& in, std::filesystem::path& out);

// A constant of one form of several: `auto`.
template <class T>
concept SettingWord = requires {
    T::kWord;
}
&&!requires {
    T::kTag;
};

template <SettingWord T>
void read_setting(const SettingReader& in, T&) {
    in.word({T::kWord});
}

template <class T>
void read_setting(const SettingReader& in, std::optional<T>& out) {
    if (in.value().is_null())
        out.reset();
    else
        read_setting(in, out.emplace());
}

template <class T>
void read_setting(const SettingReader& in, std::vector<T>& out) {
    if (!in.value().is_list())
        in.wrong("a list");
    out.clear();
    for (std::size_t i = 0; i < in.value().list().size(); ++i) {
        T item{};
        read_setting(in.item(i), item);
        out.push_back(std::move(item));
    }
}

template <class K, class T>
void read_setting(const SettingReader& in, std::map<K, T>& out) {
    if (!in.value().is_map())
        in.wrong("a map");
    out.clear();
    for (const Json::Member& member : in.value().map()) {
        K key{};
        read_setting(SettingReader(Json::of(member.key), setting_below(in.key(), member.key)), key);
        read_setting(in.member(member), out[std::move(key)]);
    }
}

/// Whether the value is of the form that T is read from: the forms of one setting differ in kind,
/// or in a tag.
template <class T>
struct SettingForm {
    static bool fits(const Json& value) {
        if constexpr (std::is_same_v<T, bool>) {
            return value.kind() == Json::Kind::boolean;
        } else if constexpr (std::is_arithmetic_v<T>) {
            return value.is_number();
        } else if constexpr (requires { T::kTag; }) {
            const Json* tag = value.find(T::kTag);
            return tag && tag->text() == T::kWord;
        } else if constexpr (std::is_enum_v<T> || SettingWord<T> ||
                             std::is_same_v<T, std::string> ||
                             std::is_same_v<T, std::filesystem::path>) {
            return value.is_string();
        } else {
            return value.is_map();
        }
    }
};
template <class T>
struct SettingForm<std::vector<T>> {
    static bool fits(const Json& value) { return value.is_list(); }
};

template <class... Forms>
void read_setting(const SettingReader& in, std::variant<Forms...>& out) {
    auto try_form = [&]<class Form>(std::in_place_type_t<Form>) {
        if (!SettingForm<Form>::fits(in.value()))
            return false;
        read_setting(in, out.template emplace<Form>());
        return true;
    };
    if (!(try_form(std::in_place_type<Forms>) || ...))
        in.wrong("another form");
}

/// The struct that the settings say; what is absent has the schema's default.
template <class Settings>
Settings settings_of(const Json& json) {
    Settings out;
    read_setting(SettingReader(json), out);
    return out;
}
template <class Settings>
Settings settings_of(std::string_view json) {
    return settings_of<Settings>(Json::parse(json));
}

}  // namespace stillroom
