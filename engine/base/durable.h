#pragma once

#include "engine/base/api.h"
#include "engine/base/descriptor.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <string_view>

namespace stillroom {

// Writing so that after a crash, a full disk or a power cut a final name either is not there or is
// complete: a new file under a name of its own, synced, renamed, its folder synced. Whatever fails
// throws Error (exit 4) naming the path, why, and for a full disk what is free.

/// Repeats a system call that was interrupted, or that says "try again", for about two seconds.
template <class Call>
auto retried(Call call) {
    for (int tries = 0;; ++tries) {
        auto result = call();
        bool passing = result < 0 && (errno == EINTR || errno == EAGAIN);
        if (!passing || tries == 2000)
            return result;
        if (tries > 100)
            ::usleep(1000);
    }
}

[[noreturn]] STILLROOM_API void refuse_write(const std::filesystem::path& path, int code);

/// Replaces a file as a whole, by a rename. While it is being made its name ends in ".tmp".
STILLROOM_API void replace_file(const std::filesystem::path& path,
                                std::string_view text,
                                bool synced);

/// The same, syncing nothing: for records, which a power cut may take.
STILLROOM_API void write_record_file(const std::filesystem::path& path, std::string_view text);

/// The same, for a file that is most likely not there yet: then it is written under its own name,
/// and who reads it meanwhile, or after a kill, may find half of it.
STILLROOM_API void write_new_record_file(const std::filesystem::path& path, std::string_view text);

/// Exclusively, and never through a link.
/// `told`: what to call it where it cannot be made; empty: its own path.
STILLROOM_API Descriptor make_new_file(const std::filesystem::path& path,
                                       int mode = 0666,
                                       const std::filesystem::path& told = {});
STILLROOM_API void write_all(const Descriptor& file,
                             std::string_view bytes,
                             const std::filesystem::path& path);
STILLROOM_API void sync(const Descriptor& file, const std::filesystem::path& path);
STILLROOM_API void close_written(Descriptor& file, const std::filesystem::path& path);

STILLROOM_API void sync_folder(const std::filesystem::path& folder);
STILLROOM_API void rename_path(const std::filesystem::path& from, const std::filesystem::path& to);

/// The folder and those above it, 0777 less the umask. What is there already may be a link to one.
STILLROOM_API void make_folders(const std::filesystem::path& folder);

/// A file or folder with all below it, read-only folders too; links go, never what they name.
/// Nothing there is fine.
STILLROOM_API void remove_tree(const std::filesystem::path& path);

/// A copy of a file or folder that shares nothing with the original: a reflink where the file
/// system can, else its bytes; 0666 and 0777 less the umask, synced. Links inside are refused. `to`
/// must not exist.
STILLROOM_API void copy_tree(const std::filesystem::path& from, const std::filesystem::path& to);

/// Bytes that an ordinary user may still write where the path lies; 0 if nobody can tell.
STILLROOM_API std::uint64_t free_space(const std::filesystem::path& path);

}  // namespace stillroom
