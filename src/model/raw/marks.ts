// The bytes that stand between the fields of a raw enumeration, and before its lines. schemas/raw.md tells the layout to people.
export const space = 0x20
export const minus = 0x2d
export const dot = 0x2e
export const comma = 0x2c
export const plus = 0x2b
export const star = 0x2a
export const zero = 0x30
export const errorMark = 0x21
export const volumeMark = 0x23
export const totalsMark = 0x3d
export const endMark = 0x65
