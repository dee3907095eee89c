//! Variables that programs obey, or that name what they run, load or trust. Somebody who may write a secret must not be able to set them
//! in somebody else's process. No list of these is complete: `--prefix` is for prefixes whose writers are trusted.

/// The variable itself.
const NAMES: &[&str] = &[
    // Shells, and where programs and their settings are found.
    "PATH",
    "PATHEXT",
    "CDPATH",
    "HOME",
    "SHELL",
    "SHELLOPTS",
    "COMSPEC",
    "ENV",
    "ZDOTDIR",
    "IFS",
    "PS1",
    "PS2",
    "PS4",
    "PROMPT_COMMAND",
    "GLOBIGNORE",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "SYSTEMROOT",
    "WINDIR",
    "PSMODULEPATH",
    "TMP",
    "TEMP",
    "TMPDIR",
    // What other programs start.
    "EDITOR",
    "VISUAL",
    "PAGER",
    "MANPAGER",
    "BROWSER",
    "LESSOPEN",
    "LESSCLOSE",
    // The C library and the terminal.
    "GCONV_PATH",
    "GETCONF_DIR",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "LOCPATH",
    "NLSPATH",
    "RES_OPTIONS",
    "RESOLV_HOST_CONF",
    "TERMCAP",
    "TERMINFO",
    "TERMINFO_DIRS",
    "TZDIR",
    // Languages and tools without a prefix of their own.
    "AWKPATH",
    "AWKLIBPATH",
    "CLASSPATH",
    "GODEBUG",
    "GOENV",
    "GOFLAGS",
    "GOPATH",
    "GOPROXY",
    "GOROOT",
    "GOTOOLCHAIN",
    "KUBECONFIG",
    "MAKEFLAGS",
    "PHPRC",
    "TCLLIBPATH",
    "WGETRC",
    // Whom connections trust, and what is written down of them.
    "SSLKEYLOGFILE",
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
];

const PREFIXES: &[&str] = &[
    // Loaders and allocators.
    "LD_",
    "DYLD_",
    "MALLOC_",
    "BASH",
    // Languages.
    "ASPNETCORE_HOSTINGSTARTUP",
    "BUN_",
    "BUNDLE_",
    "CARGO_",
    "COMPLUS_",
    "CORECLR_",
    "COR_",
    "DENO_",
    "DOTNET_",
    "ELECTRON_",
    "ERL_",
    "GEM_",
    "GRADLE_",
    "JAVA_",
    "JDK_",
    "JULIA_",
    "LUA_",
    "MAVEN_",
    "MONO_",
    "NODE_",
    "NPM_CONFIG_",
    "PERL",
    "PHP_",
    "PYTHON",
    "R_ENVIRON",
    "R_LIBS",
    "R_PROFILE",
    "RUBY",
    "RUSTC",
    "RUSTFLAGS",
    "RUSTUP_",
    "UV_",
    "PIP_",
    // Tools that are told what to run or where to connect.
    "CURL_",
    "DBUS_",
    "DOCKER_",
    "GIO_",
    "GIT_",
    "GTK_",
    "KRB5_",
    "OPENSSL_",
    "QT_",
    "SSH_",
    "SSL_CERT_",
    "SYSTEMD_",
    "XDG_",
    // This program itself.
    "SCAIVAULT_",
    "SCAIKEY_",
];

const SUFFIXES: &[&str] = &["_PROXY", "_CA_BUNDLE"];

/// Whether `name`, in upper case, is one of them.
pub(super) fn is_obeyed(name: &str) -> bool {
    // `_JAVA_OPTIONS` and the like.
    let bare = name.trim_start_matches('_');
    NAMES.contains(&bare)
        || PREFIXES.iter().any(|prefix| bare.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| bare.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_obey_is_known() {
        for name in [
            "PATH",
            "HOME",
            "SHELL",
            "IFS",
            "ENV",
            "BASH_ENV",
            "BASH_FUNC_LS",
            "LD_PRELOAD",
            "LD_AUDIT",
            "DYLD_INSERT_LIBRARIES",
            "GIT_SSH_COMMAND",
            "GIT_CONFIG_COUNT",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "NODE_OPTIONS",
            "DOTNET_STARTUP_HOOKS",
            "JAVA_TOOL_OPTIONS",
            "_JAVA_OPTIONS",
            "JDK_JAVA_OPTIONS",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "PERL5LIB",
            "PERL5OPT",
            "RUBYOPT",
            "REQUESTS_CA_BUNDLE",
            "OPENSSL_CONF",
            "SCAIVAULT_URL",
            "KUBECONFIG",
        ] {
            assert!(is_obeyed(name), "{name}");
        }
        for name in
            ["DB_PASSWORD", "API_KEY", "PGPASSWORD", "DB_PATH", "HOME_URL", "GOOGLE_API_KEY", "ENVIRONMENT", "TOKEN"]
        {
            assert!(!is_obeyed(name), "{name}");
        }
    }
}
