// Preloaded into a site's process (`node --import`): its clock is ahead by PRESTAGE_TEST_CLOCK_AHEAD milliseconds.
const ahead = Number(process.env.PRESTAGE_TEST_CLOCK_AHEAD);
const RealDate = Date;
globalThis.Date = class Date extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() + ahead] : args));
  }
  static now() {
    return RealDate.now() + ahead;
  }
};
