# Filled in by packaging/release-files.
class Awsrole < Formula
  desc "Assumes your project's AWS role on cd and restores your environment on leaving"
  homepage "@REPOSITORY@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "@RELEASE@/awsrole-@VERSION@-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256:aarch64-apple-darwin@"
    end
    on_intel do
      url "@RELEASE@/awsrole-@VERSION@-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256:x86_64-apple-darwin@"
    end
  end

  on_linux do
    on_arm do
      url "@RELEASE@/awsrole-@VERSION@-aarch64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256:aarch64-unknown-linux-musl@"
    end
    on_intel do
      url "@RELEASE@/awsrole-@VERSION@-x86_64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256:x86_64-unknown-linux-musl@"
    end
  end

  def install
    bin.install "bin/awsrole", "bin/awsrole-hook"
    man1.install Dir["share/man/man1/*"]
    man5.install Dir["share/man/man5/*"]
    bash_completion.install "share/bash-completion/completions/awsrole"
    zsh_completion.install "share/zsh/site-functions/_awsrole"
    fish_completion.install "share/fish/vendor_completions.d/awsrole.fish"
    pkgshare.install "share/awsrole/awsrole.schema.json"
  end

  def caveats
    <<~EOS
      Run `awsrole setup` to add the hook to your shell.
      The bash of macOS (3.2) is too old for it: use zsh, or `brew install bash`.
    EOS
  end

  test do
    assert_match "awsrole #{version} ", shell_output("#{bin}/awsrole --version")
    assert_match "awsrole-hook #{version} ", shell_output("#{bin}/awsrole-hook --version")
  end
end
