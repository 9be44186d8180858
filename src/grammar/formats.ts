/** Formats of strings, as regular expressions. Each gives valid texts only; of some formats not all of them. */

const month31 = '(0[13578]|1[02])', month30 = '(0[469]|11)';
const leap = '([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)';
const date = `([0-9]{4}-(${month31}-(0[1-9]|[12][0-9]|3[01])|${month30}-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|${leap}-02-29)`;
const time = '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])';
const label = '[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?', hostname = `${label}(\\.${label}){0,4}`;
const byte = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])', ipv4 = `${byte}(\\.${byte}){3}`, group = '[0-9a-fA-F]{1,4}';
const hexDigits = (count: number): string => `[0-9a-fA-F]{${count}}`;
const pathChars = "([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";

export const formats: Readonly<Record<string, string>> = {
  date, time, 'date-time': `${date}T${time}`,
  duration: 'P([0-9]{1,6}W|([0-9]{1,6}Y)?([0-9]{1,6}M)?[0-9]{1,6}DT[0-9]{1,6}H([0-9]{1,6}M)?([0-9]{1,6}S)?'
    + '|[0-9]{1,6}D|[0-9]{1,6}[YM]|T[0-9]{1,6}[HMS]|T[0-9]{1,6}H[0-9]{1,6}M)',
  email: `[A-Za-z0-9_+-]{1,32}(\\.[A-Za-z0-9_+-]{1,32}){0,2}@${label}(\\.${label}){1,4}`,
  hostname, ipv4,
  ipv6: `(${group}(:${group}){7}|${group}(:${group}){0,3}::${group}(:${group}){0,2}|::(${group}(:${group}){0,3})?)`,
  uuid: `${hexDigits(8)}-${hexDigits(4)}-${hexDigits(4)}-${hexDigits(4)}-${hexDigits(12)}`,
  uri: `(https?|ftp)://${hostname}(:[1-9][0-9]{0,3})?(/${pathChars}*)*(\\?(${pathChars}|[/?])*)?(#(${pathChars}|[/?])*)?`,
};
