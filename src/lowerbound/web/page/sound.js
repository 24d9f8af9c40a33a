// Tunes: the notes of their tokens, sound by WebAudio, and MIDI files.

// seconds of a sixteenth, and ticks of one in a file: 120 quarters a minute
const SIXTEENTH = 0.125, TICKS = 120;

// tokens: 0 ends, 1 goes on, 2 rests, 3 and more begin a note of that pitch less 3
export function notesOf(tokens) {
  const notes = [];
  let sounds = false, length = 0;
  for (const token of tokens) {
    if (token === 0) break;
    if (token >= 3) notes.push({ start: length, length: 1, pitch: token - 3 });
    else if (token === 1 && sounds) notes[notes.length - 1].length += 1;
    sounds = token >= 3 || (token === 1 && sounds);
    length += 1;
  }
  return { notes, length };
}

export function inARow(tunes) {
  const all = [];
  let end = 0;
  for (const { notes, length } of tunes.map(notesOf)) {
    all.push(...notes.map((note) => ({ ...note, start: note.start + end })));
    end += length;
  }
  return { notes: all, length: end };
}

let speaker = null, stopNow = null;

// one tune at a time; `ended` is called when it is over or another one begins
export function play(tokens, ended) {
  stopNow?.();
  speaker ||= new AudioContext();
  speaker.resume();
  const { notes, length } = inARow([tokens]), begin = speaker.currentTime + 0.05;
  const swings = notes.map((note) => {
    const swing = speaker.createOscillator(), loud = speaker.createGain();
    const from = begin + note.start * SIXTEENTH, to = from + note.length * SIXTEENTH;
    swing.type = "triangle";
    swing.frequency.value = 440 * 2 ** ((note.pitch - 69) / 12);
    loud.gain.setValueAtTime(0, from);
    loud.gain.linearRampToValueAtTime(0.3, from + 0.01);
    loud.gain.setTargetAtTime(0, Math.max(from + 0.01, to - 0.03), 0.03);
    swing.connect(loud).connect(speaker.destination);
    swing.start(from);
    swing.stop(to + 0.2);
    return swing;
  });
  const over = setTimeout(() => stopNow?.(), 1000 * (length * SIXTEENTH + 0.3));
  stopNow = () => {
    stopNow = null;
    clearTimeout(over);
    swings.forEach((swing) => swing.stop());
    ended();
  };
}

export function stop() { stopNow?.(); }

function sevenBits(ticks) {
  const parts = [ticks & 127];
  while ((ticks >>= 7)) parts.unshift(128 | (ticks & 127));
  return parts;
}

// one track, the tunes one after the other
export function midiOf(tunes) {
  const { notes, length } = inARow(tunes);
  const events = [
    ...notes.map((note) => [note.start * TICKS, [0x90, note.pitch, 96]]),
    ...notes.map((note) => [(note.start + note.length) * TICKS, [0x80, note.pitch, 0]]),
    [length * TICKS, [0xff, 0x2f, 0]],
  ];
  // at one moment notes end (0x80) before others begin (0x90), and the track (0xff) ends last
  events.sort((a, b) => a[0] - b[0] || a[1][0] - b[1][0]);
  const track = [0, 0xff, 0x51, 3, 0x07, 0xa1, 0x20];
  let now = 0;
  for (const [time, event] of events) { track.push(...sevenBits(time - now), ...event); now = time; }
  const long = (value) => [24, 16, 8, 0].map((bits) => (value >> bits) & 255), short = (value) => [value >> 8, value & 255];
  const name = (word) => [...word].map((letter) => letter.charCodeAt(0));
  return new Uint8Array([...name("MThd"), ...long(6), ...short(0), ...short(1), ...short(4 * TICKS), ...name("MTrk"), ...long(track.length), ...track]);
}
