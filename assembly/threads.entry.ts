/** The shipped engine as workers share it, and what a worker runs. */
export * from './index';
export { serve } from './threads/team';
