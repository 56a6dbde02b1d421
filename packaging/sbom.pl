#!/usr/bin/perl
# sbom.pl VERSION BINARY...: what the binaries consist of, as CycloneDX 1.4 (JSON) on standard output: the Debian packages of the
# libraries they are linked with, and those whose code went into them (static and header-only libraries of debian/control).
# The same inputs give the same bytes. Perl, as every Debian package's build has it.
use strict;
use warnings;
use Digest::SHA;
use JSON::PP;

my ($version, @binaries) = @ARGV;
die "usage: sbom.pl VERSION BINARY...\n" unless @binaries;

sub lines { my @out = qx{@_}; $? == 0 or die "sbom.pl: failed: @_\n"; chomp @out; return @out }

my ($distribution) = lines(q{. /etc/os-release && echo "$ID-$VERSION_ID"});

# Of a package: its version, architecture and source.
sub facts_of {
  my ($package) = @_;
  my ($line) = lines("dpkg-query -W -f '\${Version} \${Architecture} \${source:Package} \${source:Version}\\n' $package");
  return split / /, $line;
}

my %how;    # package -> linked, built with
for my $binary (@binaries) {
  for (lines("ldd $binary")) {
    my ($path) = m{=> (/\S+)} or next;
    # Where /lib is a link to /usr/lib, the package may know either name.
    my ($owner) = grep { $_ } map { my $o = qx{dpkg -S '$_' 2>/dev/null}; $o =~ /^([^:,\s]+)/ ? $1 : '' } $path, "/usr$path", $path =~ s{^/usr}{}r;
    die "sbom.pl: no package owns $path\n" unless $owner;
    $how{$owner} = 'linked';
  }
}
open my $control, '<', 'debian/control' or die "sbom.pl: debian/control: $!\n";
my $wanted = join '', <$control>;
$wanted =~ s/.*^Build-Depends:(.*?)^\S.*/$1/ms;
for (split /,/, $wanted) {
  next if /<!nocheck>/;
  for my $name (/([a-z0-9.+-]+-dev)\b/g) {
    my $is_here = qx{dpkg-query -W -f '\${db:Status-Status}' $name 2>/dev/null} eq 'installed';
    $how{$name} = 'built with' if $is_here;
  }
}

my @components;
for my $package (sort keys %how) {
  my ($of, $architecture, $source, $source_version) = facts_of($package);
  my $purl = "pkg:deb/debian/$package\@" . $of =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger . "?arch=$architecture&distro=$distribution";
  push @components, {
    type => 'library', 'bom-ref' => $purl, name => $package, version => $of, purl => $purl,
    properties => [
      {name => 'debian:source', value => "$source $source_version"},
      {name => 'clinic-gateway:part', value => $how{$package}},
    ],
  };
}

my $self = "pkg:deb/clinic-gateway/clinic-gateway\@$version?distro=$distribution";
my @hashes = map { {alg => 'SHA-256', content => Digest::SHA->new(256)->addfile($_, 'b')->hexdigest} } @binaries;
my @parts = map { my $name = $binaries[$_] =~ s{.*/}{}r; {type => 'application', 'bom-ref' => "file:$name", name => $name, version => $version, hashes => [$hashes[$_]]} } 0 .. $#binaries;
print JSON::PP->new->canonical->indent->indent_length(1)->space_after->encode({
  bomFormat => 'CycloneDX', specVersion => '1.4', version => 1,
  metadata => {
    timestamp => (lines('date --utc --date=@' . ($ENV{SOURCE_DATE_EPOCH} // time) . ' +%Y-%m-%dT%H:%M:%SZ'))[0],
    component => {type => 'application', 'bom-ref' => $self, name => 'clinic-gateway', version => $version, purl => $self, components => \@parts},
  },
  components => \@components,
  dependencies => [{ref => $self, dependsOn => [map { $_->{'bom-ref'} } @components]}],
});
