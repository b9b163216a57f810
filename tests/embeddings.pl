#!/usr/bin/perl
# Writes a stream of unit-length embeddings for tests: points about a few centres.
# Usage: tests/embeddings.pl COUNT DIMENSION LABEL SOURCE [SHIFT [SEED [CENTRES [PREFIX]]]]
use strict;
use warnings;
my ($count, $dimension, $label, $source, $shift, $seed, $centres, $prefix) =
    (@ARGV[0 .. 3], $ARGV[4] // 0, $ARGV[5] // 1, $ARGV[6] // 2, $ARGV[7] // $ARGV[3]);
binmode STDOUT;
srand $seed;

sub text { my $bytes = shift; return pack('C n', 0xda, length $bytes) . $bytes }
sub integer { return pack('C N', 0xce, shift) }
sub map_of { my $pairs = @_ / 2; return pack('C n', 0xde, $pairs) . join('', @_) }
sub normal { return sqrt(-2 * log(1 - rand)) * cos(6.283185307179586 * rand) }

print map_of(text('type'), text('header'), text('blades'), integer(1), text('kind'), text('embedding'),
    text('dimension'), integer($dimension));
for my $i (0 .. $count - 1) {
    my @x = map { $shift + 0.3 * normal() } 1 .. $dimension;
    $x[$i % $centres % $dimension] += 2;
    my $length = 0;
    $length += $_ * $_ for @x;
    my $vector = pack('f<*', map { $_ / sqrt $length } @x);
    my @label = $label ne '' ? (text('label'), text($label)) : ();
    print map_of(text('type'), text('embedding'), text('id'), text(sprintf '%s/%05d.jpg', $prefix, $i),
        text('vector'), pack('C N', 0xc6, length $vector) . $vector, @label, text('source'), text($source));
}
print map_of(text('type'), text('trailer'), text('records'), integer($count), text('errors'), integer(0));
