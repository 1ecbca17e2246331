/** What a log, a GPU's name or an error may hold that a terminal would obey. */

const ESC = "\u001b";
export const ATTACKS: readonly string[] = [
  `${ESC}]52;c;cm0gLXJmIH4=\u0007`, // the clipboard
  `${ESC}]8;;http://evil.example${ESC}\\click${ESC}]8;;${ESC}\\`,
  `${ESC}]0;owned\u0007`,
  `${ESC}]2;owned${ESC}\\`,
  `${ESC}]9;done\u0007${ESC}]777;notify;a;b\u0007`,
  `${ESC}]1337;File=inline=1:AAAA\u0007`,
  `${ESC}P+q544e${ESC}\\`,
  `${ESC}Pq#0;2;0;0;0#0~~@@${ESC}\\`, // sixel
  `${ESC}_Gf=100;AAAA${ESC}\\`,
  `${ESC}^private${ESC}\\${ESC}Xstring${ESC}\\`,
  `${ESC}[2J${ESC}[H${ESC}[3J`,
  `${ESC}[?1049h${ESC}[?1000h${ESC}[?25l`,
  `${ESC}[6n${ESC}[c${ESC}[21t`, // asks that the terminal would answer into our keys
  `${ESC}[5i${ESC}[4i`,
  `${ESC}c${ESC}#8${ESC}(0lqqk${ESC}(B`,
  `${ESC}[1;31mred${ESC}[`,
  `${ESC}[${ESC}[31m31m`,
  `${ESC}[${"9".repeat(500)}m`,
  ESC,
  "\u009b2J\u009d0;owned\u009c\u0090q\u009c\u0085\u008d",
  "\u0000\u0001\u0007\u0008\u000b\u000c\u000e\u000f\u007f",
  "safe\rowned\r\r",
  "a\u202egnp.exe\u202c\u2066x\u2069\u200f\u061c",
  "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u115f\u3164\uffa0\u{e0041}\u{e0142}\ufe0f",
  "\ud83d", // half of a pair
  "\ude80x",
  `Z${"\u0301\u0489".repeat(5000)}`,
  "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪✅⌚終端ｆｕｌｌ",
  "\u2028\u2029\n\t",
];

/** As bytes that are no text: cut, overlong and impossible UTF-8. */
export const BAD_BYTES: readonly Buffer[] = [
  Buffer.from([0xf0, 0x9f, 0x9a]),
  Buffer.from([0xc0, 0x9b, 0x5d, 0x30, 0x3b, 0x78, 0x07]),
  Buffer.from([0xe0, 0x80, 0x9b, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80, 0xff, 0xfe]),
  Buffer.from([0xc2, 0x9b, 0x32, 0x4a]),
];
