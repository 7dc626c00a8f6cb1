{
  description = "Assumes your project's AWS role on cd and restores your environment on leaving";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      workspace = (builtins.fromTOML (builtins.readFile ./Cargo.toml)).workspace.package;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      package =
        pkgs:
        pkgs.rustPlatform.buildRustPackage {
          pname = "awsrole";
          version = workspace.version;
          src = self;
          cargoLock.lockFile = ./Cargo.lock;
          cargoBuildFlags = [ "--package=awsrole" ];
          # The tests need shells, terminals and a network.
          doCheck = false;
          # Part of `awsrole --version`.
          env.AWSROLE_COMMIT = self.shortRev or "";
          nativeBuildInputs = [ pkgs.installShellFiles ];
          postInstall = ''
            $out/bin/awsrole man man
            installManPage man/* packaging/awsrole.toml.5
            installShellCompletion --cmd awsrole \
              --bash <($out/bin/awsrole completions bash) \
              --zsh <($out/bin/awsrole completions zsh) \
              --fish <($out/bin/awsrole completions fish)
            install -Dm644 docs/awsrole.schema.json -t $out/share/awsrole
          '';
          meta = {
            description = "Assumes your project's AWS role on cd and restores your environment on leaving";
            homepage = workspace.repository;
            license = with pkgs.lib.licenses; [
              mit
              asl20
            ];
            mainProgram = "awsrole";
          };
        };
    in
    {
      packages = builtins.listToAttrs (
        map (system: {
          name = system;
          value.default = package nixpkgs.legacyPackages.${system};
        }) systems
      );
    };
}
